"""An ensemble from a folder of photographs to colored pictures, by the usual training loop."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

import colorcli
from colorcli.errors import DataError
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.categories import CATEGORIES
from tests.threads import threads
from tests.training.photographs import picture

STAGES = "".join(
    f"""
[[stages]]
name = "{category}"
from = "baseline"
part = "generators.{category}"
network = {{ kind = "generator", width = 2, levels = 5, space = "yuv" }}
recipe = {{ kind = "gan", discriminator_width = 2, schedule = "cosine", keep = "last" }}
training = {{ only = "{category}" }}
"""
    for category in CATEGORIES
)
RECIPE = f"""
source = "here"
input_size = 64

[network]
kind = "ensemble"
width = 2
levels = 5
space = "yuv"
router_width = 4
router_size = 32

[training]
epochs = 1
batch_size = 8
sizes = [[0.0, 32]]
split = [60, 20, 20]
average = 0.9
workers = 0

[options]
blend = true

[[stages]]
name = "router"
part = "router"
network = {{ kind = "router", router_width = 4, router_size = 32 }}
recipe = {{ kind = "router" }}

[[stages]]
name = "baseline"
network = {{ kind = "generator", width = 2, levels = 5, space = "yuv" }}
recipe = {{ kind = "gan", discriminator_width = 2, warm_up = 0.5 }}
training = {{ epochs = 2, early_stopping = [2, 1.0] }}
{STAGES}
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Such small networks are quicker on one thread."""
    with threads(1):
        yield


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photographs"
    for number, category in enumerate(CATEGORIES):
        (folder / category).mkdir(parents=True)
        for seed in range(10):
            picture(100 * number + seed).save(folder / category / f"{seed}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return read_recipe(path)


def run(photographs, file, folder, yields=None):
    reports = []
    steps = train(Pix2Pix(), file, photographs, folder, device="cpu", precision="fp32")
    for report in steps:
        reports.append(report)
        if len(reports) == yields:
            steps.close()
            break
    return reports


@pytest.fixture(scope="module")
def trained(photographs, file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, run(photographs, file, folder)


def test_the_stages_make_an_ensemble_that_colors(trained):
    folder, reports = trained
    assert list(dict.fromkeys(report.stage for report in reports)) == ["router", "baseline", *CATEGORIES]
    model = colorcli.load("pix2pix", weights=folder / "best.safetensors", device="cpu", precision="fp32")
    assert model.size == 64
    lightness = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    blended = model.predict_with_notes(lightness)
    assert all(note["category"] in CATEGORIES and 1 / 6 <= note["probability"] <= 1 for note in blended.notes)
    assert (model.predict(lightness, blend=False) - blended.ab).abs().max() > 0  # the recipe's option was the default


def test_the_router_is_judged_by_its_macro_f1_and_paints_nothing(trained):
    folder, reports = trained
    losses = next(report.losses for report in reports if report.stage == "router" and report.validated)
    assert [name for name in losses if name.startswith("validation")] == [
        "validation one minus macro F1",
        "validation cross entropy",
        "validation accuracy",
    ]
    assert "test one minus macro F1" in losses
    assert not list((folder / "router" / "samples").glob("*"))
    assert list((folder / "people" / "samples").glob("*.png"))


def test_each_generator_continues_separately_from_the_one_for_all(trained):
    folder, _ = trained
    states = {name: load_file(folder / name / "best.safetensors") for name in ("baseline", *CATEGORIES)}
    key = "model.model.0.weight"
    for category in CATEGORIES:
        moved = (states[category][key] - states["baseline"][key]).abs().max()
        assert 0 < moved < 0.01  # a few steps of Adam at 2e-4
    assert not states["people"][key].equal(states["city"][key])


@pytest.mark.parametrize("yields", [3, 9, 14])
def test_an_interrupted_run_resumes_as_if_it_had_not_been(trained, photographs, file, tmp_path, yields):
    """In the router, in the warm-up of the GAN and in adversarial training, with both optimizers."""
    straight, reports = trained
    assert len(run(photographs, file, tmp_path / "run", yields)) == yields
    resumed = run(photographs, file, tmp_path / "run")
    assert resumed[-1].losses == reports[-1].losses
    one, other = (load_file(folder / "best.safetensors") for folder in (straight, tmp_path / "run"))
    assert all(one[key].equal(other[key]) for key in one)
    for name in ("router", "baseline"):
        logs = [(folder / name / "log.csv").read_text() for folder in (straight, tmp_path / "run")]
        assert logs[0] == logs[1]


def test_photographs_without_the_categories_are_refused_before_anything_is_learned(photographs, file, tmp_path):
    data = tmp_path / "data"
    for category in CATEGORIES[:3]:
        shutil.copytree(photographs / category, data / category)
    with pytest.raises(DataError, match="Missing: others, people, scenery"):
        run(data, file, tmp_path / "run")
