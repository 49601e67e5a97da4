import pytest

from colorcli.errors import UsageError
from colorcli.training.recipes import read_recipe
from tests.training.photographs import write_recipe


def test_a_recipe_file_is_read(tiny):
    recipe = read_recipe(tiny)
    assert (recipe.name, recipe.network, recipe.options) == (
        "tiny",
        {"widths": [4, 4, 8, 8]},
        {"temperature": 0.5},
    )
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.sizes) == (2, 16, ((0.0, 32),))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("epochs", "0", r"training\.epochs must be an integer from 1, got 0"),
        ("epochs", '"ten"', r"training\.epochs must be an integer from 1, got 'ten'"),
        ("epochs", "true", r"training\.epochs must be an integer from 1, got True"),
        ("batch_size", "1.5", r"training\.batch_size must be an integer from 1, got 1\.5"),
        ("sizes", "[[0.5, 32]]", r"training\.sizes must start at 0\.0"),
        ("sizes", "[[0.0, 32], [0.7, 64], [0.6, 96]]", r"training\.sizes must start at 0\.0 and ascend"),
        ("sizes", "[]", r"training\.sizes must be a list of \[fraction of the run"),
        ("sizes", "[[0.0]]", r"training\.sizes\[0\] must be"),
        ("sizes", "64", r"training\.sizes must be a list"),
        ("sizes", '[[0.0, "large"]]', r"training\.sizes\[0\]\[1\] must be an integer"),
        ("average", "1.0", r"training\.average must be a number from 0 and below 1, got 1\.0"),
        ("contrast", '"much"', r"training\.contrast must be a number in 0\.\.1, got 'much'"),
        ("workers", "-1", r"training\.workers must be an integer from 0, got -1"),
    ],
)
def test_an_invalid_value_is_an_error_that_names_field_and_value(tmp_path, key, value, said):
    with pytest.raises(UsageError, match=said):
        read_recipe(write_recipe(tmp_path / "odd.toml", **{key: value}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nepochs = 1\n", r"training\.batch_size is missing"),
        ("[training]\nepochs = 1\nbatch_size = 1\ncrop = [0.3]\n", r"training\.crop must be two shares"),
        ("[training]\nepochs = 1\nbatch_size = 1\ncrop = [0.9, 0.3]\n", "crop must be .* the smaller one first"),
        ("[training]\nepochs = 1\nbatch_size = 1\nsplit = 80\n", r"training\.split must be three shares"),
        (
            "[training]\nepochs = 1\nbatch_size = 1\nearly_stopping = [5]\n",
            "early_stopping must be a number of epochs",
        ),
        ("[training]\nepochs = 1\nbatch_size = 1\nepoch = 3\n", r"training\.epoch is not a known field"),
        ("[trainings]\n", "trainings is not a known field"),
        ("training = 3\n", "training must be a table, got 3"),
        ("input_size = -5\n", "input_size must be a number of pixels from 1, got -5"),
        ("input_size = true\n", "input_size must be a number of pixels from 1, got True"),
        ("[training\n", "cannot be read"),
    ],
)
def test_an_invalid_file_is_an_error(tmp_path, text, said):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_recipe(tmp_path / "odd.toml")


def test_all_wrong_fields_are_listed_a_line_each(tmp_path):
    text = "[training]\nepochs = 0\nseed = -1\n[[stages]]\nname = 'a'\n[[stages]]\nname = 'a'\nfrom = 'b'\npart = 3\n"
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError) as found:
        read_recipe(tmp_path / "odd.toml")
    first, *lines = found.value.message.splitlines()
    assert first == f"{tmp_path / 'odd.toml'} is not a valid recipe:"
    places = {line.partition(" ")[0] for line in lines}
    assert places >= {"training.epochs", "training.seed", "stages[1].name", "stages[1].from", "stages[1].part"}


def test_the_name_of_a_recipe_must_be_a_valid_tag(tmp_path):
    with pytest.raises(UsageError, match=r"my\.own"):
        read_recipe(write_recipe(tmp_path / "my.own.toml"))
