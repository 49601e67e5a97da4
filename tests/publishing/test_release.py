"""Publishing to a Hub on loopback with the real client, and downloading from it."""

import json
import tomllib
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from PIL import Image

import colorcli
from colorcli import Weights
from colorcli.cli import main
from colorcli.errors import ColorcliError, UsageError, WeightsCorrupt
from colorcli.evaluation.export import to_json
from colorcli.evaluation.tables import Column, Figure, Report, Section, Table
from colorcli.publishing.release import make_bundle, publish
from colorcli.weights.manifest import format_table, read_manifest
from colorcli.weights.verification import sha256_of
from tests.hub import READ_ONLY, TOKEN, turn_to
from tests.tiny import WIDTHS, write_tiny_weights


@pytest.fixture
def run(tmp_path):
    """The folder of a training run, as `colorcli train` writes it."""
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    best = write_tiny_weights(run / "best.safetensors")
    source = "colorcli train zhang --recipe tiny"
    size = best.stat().st_size
    weights = Weights(best.name, sha256_of(best), size, "NOASSERTION", source, "photos", network={"widths": WIDTHS})
    (run / "best.toml").write_text(format_table("tiny", weights))
    recipe = {"name": "tiny", "source": "tests", "training": {"epochs": 2}}
    (run / "run.json").write_text(json.dumps({"colorizer": "zhang", "data": "/home/me/photos", "recipe": recipe}))
    losses = ["4,0,loss,5", "4,0,validation loss,3.5", "8,1,validation loss,3.25", "12,2,validation loss,4"]
    (run / "log.csv").write_text("\n".join(["step,epoch,loss,value", *losses, ""]))
    for name in ("curves.png", "samples/0000004.png", "samples/0000012.png"):
        Image.new("RGB", (8, len(name))).save(run / name)
    return run


def bundle_of(run, **more):
    return make_bundle(run, run.parent / "bundle", repo="me/mine", **{"license": "CC-BY-4.0"} | more)


def card(bundle):
    return (bundle.folder / "README.md").read_text()


# Bundles


def test_a_bundle_has_weights_table_card_and_pictures(run):
    bundle = bundle_of(run)
    names = [file.name for file in bundle.files]
    assert names == ["README.md", "curves.png", "samples.png", "zhang-tiny.safetensors", "zhang-tiny.toml"]
    assert (bundle.folder / "zhang-tiny.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()
    assert (bundle.folder / "samples.png").read_bytes() == (run / "samples" / "0000012.png").read_bytes()


def test_the_table_of_a_bundle_is_a_manifest_that_points_at_the_hub(run):
    weights = read_manifest("zhang-tiny", bundle_of(run, trained_on="Our own photographs.").folder)["tiny"]
    assert (weights.repo, weights.file) == ("me/mine", "zhang-tiny.safetensors")
    assert (weights.license, weights.trained_on) == ("CC-BY-4.0", "Our own photographs.")
    assert weights.sha256 == sha256_of(run / "best.safetensors")


def test_the_card_describes_the_weights_and_their_use(run):
    text = card(bundle_of(run))
    assert text.startswith("---\nlicense: cc-by-4.0\n")
    for text_part in (
        "# zhang.tiny",
        "pip install colorcli\ncolorcli run --model zhang --weights hf://me/mine/zhang-tiny.safetensors photos/",
        "colorcli train zhang --recipe tiny",
        '"epochs": 2',
        "validation loss: 3.25, after step 8 of 12",
        "Not evaluated.",
        "![Samples](samples.png)",
        "## License\n\nCC-BY-4.0",
    ):
        assert text_part in text
    assert "/home/me" not in text


def test_samples_can_be_left_out(run):
    bundle = bundle_of(run, samples=False)
    assert "samples.png" not in [file.name for file in bundle.files]
    assert "Samples" not in card(bundle)


def test_figures_are_published_with_their_protocol(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    gradient = Image.linear_gradient("L")
    Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)]).save("data/a.png")
    weights = str(run / "best.safetensors")
    output = str(run / "evaluation.json")
    assert main(["evaluate", "zhang", "data", "--weights", weights, "--size", "64", "-o", output]) == 0
    bundle = bundle_of(run)
    assert "| zhang.best |" in card(bundle)
    assert "data: 1 photograph" in card(bundle)
    metrics = tomllib.loads((bundle.folder / "zhang-tiny.toml").read_text())["tiny"]["metrics"]
    assert metrics["protocol"].startswith("data: 1 photograph")
    assert metrics["command"].startswith("colorcli evaluate")
    assert 0 < metrics["auc"] < 100


@pytest.mark.parametrize("text", ["{", "{}", '{"data": "a", "command": "b", "rows": {}}'])
def test_an_unreadable_evaluation_is_an_error(run, text):
    (run / "evaluation.json").write_text(text)
    with pytest.raises(UsageError, match=r"evaluation\.json"):
        bundle_of(run)


def test_figures_of_other_weights_are_not_published(run):
    section = Section("", "1 photograph", {"zhang.best": {"auc": Figure(80.0)}})
    table = Table("Photographs", [Column("auc", "AuC")], [section], protocol=["1 photograph"])
    report = Report("a", "b", {"zhang.best": "network at 256x256, 0123456789ab"}, {}, [table])
    (run / "evaluation.json").write_text(to_json(report))
    with pytest.raises(UsageError, match="does not evaluate best"):
        bundle_of(run)


def test_a_run_in_stages_shows_the_recipe_of_each(run):
    settings = run / "run.json"
    for stage in ("router", "people"):
        (run / stage).mkdir()
        (run / stage / "run.json").write_text(settings.read_text().replace("tests", f"of {stage}"))
    settings.unlink()
    assert "recipe of the stage router" in card(bundle_of(run))


@pytest.mark.parametrize("license", ["", "NOASSERTION", "my own", "Apache 2.0"])
def test_an_invalid_license_is_an_error(run, license):  # noqa: A002
    with pytest.raises(UsageError, match="--license must be an SPDX identifier") as caught:
        bundle_of(run, license=license)
    assert "spdx.org" in caught.value.hint


def test_weights_that_differ_from_their_table_are_not_published(run):
    write_tiny_weights(run / "best.safetensors", seed=1)
    with pytest.raises(WeightsCorrupt, match="has the sha256"):
        bundle_of(run)


def test_invalid_folders_and_repositories_are_errors(tmp_path, run):
    with pytest.raises(UsageError, match=r"must have best\.safetensors"):
        make_bundle(tmp_path, tmp_path / "bundle", repo="me/mine", license="MIT")
    with pytest.raises(UsageError, match="--repo must be owner/name, got 'mine'"):
        make_bundle(run, tmp_path / "bundle", repo="mine", license="MIT")
    with pytest.raises(UsageError, match="Folder is not empty"):
        make_bundle(run, run, repo="me/mine", license="MIT")


# Publishing


@pytest.fixture
def token(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture(params=["small files", "large files"])
def way(request, hub, token, monkeypatch):
    """Both kinds of uploads: inside the commit, and as large files beside it."""
    if request.param == "large files":
        hub.large = (".safetensors", ".png")
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # whose storage does not run on loopback


def test_published_weights_are_downloaded_unchanged(hub, way, run):
    address = publish(bundle_of(run))
    assert address == f"{hub.endpoint}/me/mine/commit/{hub.commits['me/mine']}"
    uri = f"hf://me/mine/zhang-tiny.safetensors@{hub.commits['me/mine']}"
    model, own = colorcli.load("zhang", weights=uri), colorcli.load("zhang", weights=run / "best.safetensors")
    assert model.fingerprint == own.fingerprint == sha256_of(run / "best.safetensors")
    lightness = torch.rand(1, 1, 32, 32) * 100
    assert model.predict(lightness).equal(own.predict(lightness))


def test_everything_arrives_in_one_commit(hub, way, run):
    bundle = bundle_of(run)
    publish(bundle)
    published = {name.removeprefix("me/mine/"): data for name, data in hub.files.items() if name.startswith("me/mine")}
    assert published == {file.name: file.read_bytes() for file in bundle.files}
    assert len([request for request in hub.requests if "/commit/" in request]) == 1
    assert len([request for request in hub.requests if request.startswith("PUT")]) == (3 if hub.large else 0)
    assert "me/mine" not in hub.private


def test_a_private_repository_can_be_updated(hub, token, run):
    bundle = bundle_of(run)
    publish(bundle, private=True)
    assert "me/mine" in hub.private
    assert colorcli.load("zhang", weights=bundle.uri).tag == "zhang-tiny"
    (bundle.folder / "README.md").write_text(card(bundle) + "More.\n")
    publish(bundle)
    assert hub.files["me/mine/README.md"].endswith(b"More.\n")


@pytest.mark.parametrize("token", ["", READ_ONLY, "hf_stale"])
def test_without_write_access_the_hint_says_how_to_log_in(hub, run, monkeypatch, token):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ColorcliError, match="denied write access to me/mine") as caught:
        publish(bundle_of(run))
    assert "hf auth login" in caught.value.hint


def test_a_license_that_the_hub_does_not_know_is_reported(hub, token, run):
    with pytest.raises(ColorcliError, match=r"refused the model card: .*license") as caught:
        publish(bundle_of(run, license="WTFPL"))
    assert "--license" in caught.value.hint


def test_errors_of_the_hub_are_reported(hub, token, run, monkeypatch):
    bundle = bundle_of(run)
    hub.status = 500
    with pytest.raises(ColorcliError, match="status 500"):
        publish(bundle)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ColorcliError, match="HF_HUB_OFFLINE forbids uploads"):
        publish(bundle)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    turn_to("http://127.0.0.1:1", monkeypatch)
    with pytest.raises(ColorcliError, match="me/mine was not published"):
        publish(bundle)
