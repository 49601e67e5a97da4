import pytest

from colorcli.errors import UsageError
from colorcli.experiments.declaration import read_experiment
from colorcli.experiments.training import recipe_of
from colorcli.plugin.registry import Registry

SMALL = """
title = "Wide and narrow"
source = "us"

[scales.short]
input_size = 64
network = { widths = [2, 2, 4, 4], router_width = 3 }
training = { epochs = 2, most = 100 }

[[runs]]
name = "wide"
colorizer = "zhang"
recipe = "zhang2016"

[[runs]]
name = "long"
colorizer = "zhang"
recipe = "zhang2016"
scales = ["full"]

[[variants]]
name = "wide, T = 1"
run = "wide"
options = { temperature = 1.0 }

[[variants]]
name = "long"
run = "long"

[[tables]]
title = "Table 1"
columns = ["wide", "long"]
rows = [{ name = "loss", loss = "validation loss", of = ["wide", "long"], printed = [3.1, 3.3] }]
"""


def write(folder, text):
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["liege", "rome", "georgia-tech", "utrecht", "edinburgh"])
@pytest.mark.parametrize("scale", ["short", "full"])
def test_every_experiment_has_recipes_at_every_scale(name, scale):
    registry = Registry()
    experiment = read_experiment(registry.experiments()[name], scale)
    assert experiment.runs
    assert experiment.variants
    for run in experiment.runs:
        colorizer = registry.get(run.colorizer)
        file = recipe_of(experiment, run, colorizer)
        colorizer.recipe(**file.recipe) if not file.stages else None
        if scale == "short":
            assert file.input_size == file.training.sizes[-1][1] == 64
            assert file.training.epochs <= 8


def test_a_scale_replaces_what_a_recipe_has_and_only_in_training_adds_to_it(tmp_path):
    experiment = read_experiment(write(tmp_path, SMALL), "short")
    zhang = Registry().get("zhang")
    file = recipe_of(experiment, experiment.runs[0], zhang)
    assert file.network == {"widths": [2, 2, 4, 4]}
    assert (file.training.epochs, file.training.most, file.training.batch_size) == (2, 100, 40)
    full = read_experiment(write(tmp_path, SMALL), "full")
    assert recipe_of(full, full.runs[0], zhang).network == {"widths": [64, 128, 256, 512]}


def test_runs_and_their_variants_may_be_of_some_scales_only(tmp_path):
    path = write(tmp_path, SMALL)
    assert [each.name for each in read_experiment(path, "short").variants] == ["wide, T = 1"]
    assert [each.name for each in read_experiment(path, "full").variants] == ["wide, T = 1", "long"]


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('run = "long"', 'run = "lonk"', "variants: long refers to the run lonk, which is not declared"),
        ('of = ["wide", "long"]', 'of = ["wide"]', "must name 2 runs or variants, one for each column, got 1"),
        ('of = ["wide", "long"]', 'of = ["wide", "longer"]', "refers to longer, which is not a run"),
        ("printed = [3.1, 3.3]", "printed = [3.1]", "must have 2 printed figures, got 1"),
        ('loss = "validation loss"', 'loss = "a", metric = "b"', "must have either a loss or a metric"),
        ('scales = ["full"]', 'scales = ["huge"]', "long: huge is not a scale"),
        ('recipe = "zhang2016"\n\n', "recipe = 3\n\n", "runs[0].recipe must be text that is not empty, got 3"),
        ('title = "Table 1"', 'title = "Table 1"\nheight = 3', "tables[0].height is not a known field"),
        ('name = "long"\nrun', 'name = "wide, T = 1"\nrun', "variants: wide, T = 1 is given twice"),
    ],
)
def test_everything_that_is_wrong_is_reported_before_anything_is_trained(tmp_path, before, after, problem):
    assert before in SMALL
    with pytest.raises(UsageError) as raised:
        read_experiment(write(tmp_path, SMALL.replace(before, after)), "short")
    assert problem in raised.value.message


def test_an_unknown_scale_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="small has no scale 'tall'"):
        read_experiment(write(tmp_path, SMALL), "tall")
