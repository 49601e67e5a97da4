"""What is checked is the network that people use here, and the recipe that made it."""

import hashlib
import sys
from uuid import uuid4

import pytest
import torch

from colorcli.testing.check import Check
from tests.site_packages import SitePackages

SOURCE = """
from pathlib import Path

from colorcli import Colorizer, Weights, hookimpl
from tests.testing.test_suite import LineRecipe

HERE = Path(__file__).parent

class Line(Colorizer):
    name = "line"
    summary = "Chroma is a straight line in lightness."
    size = 16
    recipe_folder = HERE / "recipes"
    weights = {
        "far": Weights(
            repo="someone/line", file="line.safetensors", sha256="0" * 64, size=1, license="MIT", source="here",
            trained_on="nothing", network={"width": 7},
        ),
        "near": Weights(
            file=str(HERE / "near.pt"), sha256="DIGEST", size=SIZE, license="MIT", source="here",
            trained_on="nothing", network={"width": 3}, format="torch",
        ),
    }

    def build(self, width):
        from torch import nn
        if width == 7:
            raise ValueError("this one is not here")
        return nn.Sequential(nn.Conv2d(1, width, 1), nn.Conv2d(width, 2, 1))

    def predict(self, network, lightness):
        return network(lightness / 100)

    def recipe(self, *, patience):
        return LineRecipe()

@hookimpl
def register_colorizers(register):
    register(Line())
"""
RECIPE = """
source = "here"
[network]
width = 5
[recipe]
patience = 1
[training]
epochs = 1
batch_size = 1
sizes = [[0.0, 8]]
"""
STAGES = """
source = "here"
[network]
width = 7
[training]
epochs = 1
batch_size = 1
[[stages]]
name = "last"
part = ""
[stages.network]
width = 5
[stages.recipe]
patience = 1
"""


@pytest.fixture
def line(tmp_path, monkeypatch):
    """A plugin whose network and recipe cannot be made without what its files say."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    site = SitePackages(tmp_path / "site")
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(3, 2, 1))
    file = site.folder / "near.pt"
    torch.save(network.state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    source = SOURCE.replace("DIGEST", digest).replace("SIZE", str(file.stat().st_size))
    site.add(f"line_{uuid4().hex[:8]}", source, "line")
    (site.folder / "recipes").mkdir()
    return site.folder


def broken(name):
    return {verdict.promise: verdict.why for verdict in Check(name).verdicts() if not verdict.kept}


@pytest.mark.parametrize("recipe", [RECIPE, STAGES], ids=["whole", "stages"])
def test_the_first_weights_that_are_here_and_their_recipe_are_tried(line, recipe):
    (line / "recipes" / "near.toml").write_text(recipe)
    found = broken("line")
    about_the_module = {promise for promise in found if "module" in promise}  # which imports torch
    assert set(found) - about_the_module == {"every tag builds the network that it describes"}
    assert "its module imports nothing slow" in about_the_module
    assert found["every tag builds the network that it describes"] == "ValueError: this one is not here"


def test_without_a_recipe_of_their_name_the_recipe_is_made_without_settings(line):
    (line / "recipes" / "far.toml").write_text(RECIPE)
    found = broken("line")
    assert "patience" in found["training steps give finite losses and change the network"]


def test_there_are_as_many_verdicts_as_are_promised():
    check = Check("zhang")
    promised = len(check)
    verdict = next(check.verdicts())
    assert (verdict.name, verdict.kept) == ("zhang", True)
    assert promised == 26
