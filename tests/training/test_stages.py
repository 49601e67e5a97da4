"""A network of two parts, trained one after the other and put together."""

import contextlib
import itertools

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from colorcli import Batch, Colorizer, Recipe, read_manifest
from colorcli.errors import DataError, UsageError, WeightsCorrupt
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli.weights import read_header
from tests.training.photographs import write_photographs

IN_STAGES = """
source = "here"
input_size = 32

[network]
kind = "pair"

[recipe]
learning_rate = 0.01

[training]
epochs = 1
batch_size = 16
sizes = [[0.0, 16]]
workers = 0

[[stages]]
name = "everything"

[[stages]]
name = "city"
from = "everything"
part = "parts.city"
[stages.recipe]
learning_rate = 0.0
[stages.training]
only = "city"
batch_size = 4

[[stages]]
name = "people"
part = "parts.people"
[stages.training]
only = "people"
epochs = 2
"""


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"city": nn.Conv2d(1, 2, 1), "people": nn.Conv2d(1, 2, 1)})


class Regression(Recipe):
    def __init__(self, *, learning_rate=0.01):
        self.learning_rate = learning_rate

    def survey(self, colors, categories):
        assert list(categories) == ["city", "people"]
        return {}

    def start(self, network, fabric, steps):
        optimizer = torch.optim.SGD(network.parameters(), self.learning_rate)
        self.network, self.optimizer = fabric.setup(network, optimizer)
        return self.network

    def step(self, batch: Batch):
        loss = self.validate(self.network, batch)["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def validate(self, network, batch):
        return {"loss": (network(batch.lightness / 100) - batch.ab / 100).square().mean()}

    def state(self):
        return {"optimizer": self.optimizer.state_dict()}

    def load(self, state):
        """Plain gradient descent remembers nothing."""


class Parted(Colorizer):
    name = "parted"
    summary = "A color for each category."

    def build(self, kind="line"):
        return Pair() if kind == "pair" else nn.Conv2d(1, 2, 1)

    def predict(self, network, lightness):
        return network(lightness / 100) * 100

    def recipe(self, **settings):
        return Regression(**settings)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_photographs(folder / "photographs" / "city")
    write_photographs(folder / "photographs" / "people")
    return folder / "photographs"


def begin(photographs, folder, text=IN_STAGES, **settings):
    recipe = folder.parent / "staged.toml"
    recipe.write_text(text)
    return train(Parted(), read_recipe(recipe), photographs, folder, device="cpu", precision="fp32", **settings)


@pytest.fixture(scope="module")
def straight(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, list(begin(photographs, folder))


def test_the_stages_come_one_after_another_each_with_its_own_settings(straight):
    folder, reports = straight
    assert [stage for stage, _ in itertools.groupby(report.stage for report in reports)] == [
        "everything",
        "city",
        "people",
    ]
    steps = {report.stage: report.steps for report in reports}
    assert steps == {"everything": 14, "city": 28, "people": 14}
    assert {path.name for path in folder.iterdir()} == {
        "everything",
        "city",
        "people",
        "best.safetensors",
        "best.toml",
    }


def test_the_parts_are_assembled_under_their_names(straight):
    folder, _ = straight
    whole = load_file(folder / "best.safetensors")
    parts = {name: load_file(folder / name / "best.safetensors") for name in ("everything", "city", "people")}
    assert whole.keys() == {f"parts.{p}.{key}" for p in ("city", "people") for key in ("weight", "bias")}
    for key in ("weight", "bias"):
        assert whole[f"parts.people.{key}"].equal(parts["people"][key])
        # The learning rate of city is 0: it is still what it began with.
        assert whole[f"parts.city.{key}"].equal(parts["everything"][key])
    header = read_header(folder / "best.safetensors")
    assert (header.tag, header.network, header.input_size) == ("staged", {"kind": "pair"}, 32)
    assert read_manifest("best", folder)["staged"].parameters == 8


def test_interrupted_stages_resume_to_the_same_weights(straight, photographs, tmp_path):
    folder = tmp_path / "run"
    for count in (5, 30, 12):  # within the first stage, the second and the third
        with contextlib.closing(begin(photographs, folder)) as steps:
            list(itertools.islice(steps, count))
        assert not (folder / "best.safetensors").exists()
    list(begin(photographs, folder))
    assert (folder / "best.safetensors").read_bytes() == (straight[0] / "best.safetensors").read_bytes()


def test_parts_that_do_not_fit_the_network_are_an_error(photographs, tmp_path):
    text = IN_STAGES.replace('part = "parts.people"', 'part = "parts.persons"')
    with pytest.raises(UsageError, match=r"do not fit its network: .*persons"):
        list(begin(photographs, tmp_path / "run", text))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('from = "everything"', 'from = "nothing"', r"stages\[\d\]\.from must be an earlier stage, got 'nothing'"),
        ('name = "city"', 'name = "people"', r"stages\[\d\]\.name must be unique, got 'people'"),
        ('name = "city"', 'name = "a/b"', r"stages\[\d\]\.name must be letters, digits, - and _, got 'a/b'"),
        ('part = "parts.city"', 'piece = "parts.city"', "piece is not a known field"),
        ("[stages.recipe]\nlearning_rate = 0.0", "recipe = 3", r"stages\[\d\]\.recipe must be a table"),
        ("[[stages]]\n", "[stages]\n", "stages must be a list|Cannot|already"),
    ],
)
def test_invalid_stages_are_reported_before_anything_starts(photographs, tmp_path, before, after, said):
    with pytest.raises(UsageError, match=said):
        list(begin(photographs, tmp_path / "run", IN_STAGES.replace(before, after)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("before", "after", "error", "said"),
    [
        ('only = "people"', 'only = "unicorns"', DataError, "city, people. Missing: unicorns"),
        ('only = "people"', "split = [1000, 1, 1]", DataError, "too few to split"),
        ("[stages.recipe]", "[stages.recipe]\nlambda = 1", UsageError, r"staged-city, \[recipe\]: .*'lambda'"),
        ("[stages.recipe]", "[stages.network]\nwidth = 1\n[stages.recipe]", UsageError, r"staged-city, \[network\]"),
        ('kind = "pair"', "width = 1", UsageError, r"staged, \[network\]: .*'width'"),
    ],
)
def test_mistakes_in_a_later_stage_are_reported_before_the_first_one_trains(
    photographs, tmp_path, before, after, error, said
):
    with pytest.raises(error, match=said):
        next(begin(photographs, tmp_path / "run", IN_STAGES.replace(before, after)))
    assert not (tmp_path / "run").exists()


def test_a_run_may_start_from_weights(straight, photographs, tmp_path):
    start = straight[0] / "people" / "best.safetensors"
    text = IN_STAGES.partition("[[stages]]")[0].replace("0.01", "0.0").replace('kind = "pair"', "")
    list(begin(photographs, tmp_path / "run", text, start=start))
    assert (tmp_path / "run" / "best.safetensors").exists()
    for key, value in load_file(start).items():
        assert load_file(tmp_path / "run" / "best.safetensors")[key].equal(value)


def test_starting_from_weights_of_another_network_is_an_error(straight, photographs, tmp_path):
    text = IN_STAGES.partition("[[stages]]")[0].replace('kind = "pair"', "")
    with pytest.raises(WeightsCorrupt, match=r"best\.safetensors does not fit the network of the recipe"):
        list(begin(photographs, tmp_path / "run", text, start=straight[0] / "best.safetensors"))
