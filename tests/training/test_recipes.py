import pytest

from colorcli.errors import UsageError
from colorcli.training.recipes import read_recipe
from tests.training.photographs import write_recipe


def test_a_recipe_file_is_read_as_it_is_written(tiny):
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
        ("epochs", "0", "epochs is a whole number from 1"),
        ("epochs", '"ten"', "epochs is a whole number from 1"),
        ("batch_size", "1.5", "batch_size"),
        ("sizes", "[[0.5, 32]]", "begin at 0.0"),
        ("sizes", "[[0.0, 32], [0.7, 64], [0.6, 96]]", "ascend"),
        ("sizes", "[]", "sizes is a list of pairs"),
        ("sizes", "[[0.0]]", "sizes is a list of pairs"),
        ("sizes", "64", "sizes is a list of pairs"),
        ("sizes", '[[0.0, "large"]]', "sizes are whole numbers"),
        ("average", "1.0", "average"),
        ("contrast", '"much"', r"contrast is in 0\.\.1"),
        ("workers", "-1", "workers"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_that_names_it(tmp_path, key, value, said):
    with pytest.raises(UsageError, match=said):
        read_recipe(write_recipe(tmp_path / "odd.toml", **{key: value}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nepochs = 1\n", "no batch_size"),
        ("[training]\nepochs = 1\nbatch_size = 1\ncrop = [0.3]\n", "crop is two shares"),
        ("[training]\nepochs = 1\nbatch_size = 1\nsplit = 80\n", "split is three shares"),
        ("[training]\nepochs = 1\nbatch_size = 1\nearly_stopping = [5]\n", "early_stopping is a number of epochs"),
        ("[training]\nepochs = 1\nbatch_size = 1\nepoch = 3\n", "epoch, which does not exist"),
        ("[trainings]\n", "trainings, which does not exist"),
        ("training = 3\n", "to be a table"),
        ("input_size = -5\n", "input_size is to be a whole number of pixels from 1"),
        ("input_size = true\n", "input_size is to be a whole number of pixels from 1"),
        ("[training\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_recipe_is_an_error(tmp_path, text, said):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_recipe(tmp_path / "odd.toml")


def test_a_recipe_needs_a_name_that_can_be_a_tag(tmp_path):
    with pytest.raises(UsageError, match=r"my\.own"):
        read_recipe(write_recipe(tmp_path / "my.own.toml"))
