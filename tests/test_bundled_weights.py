"""The weights that come with colorcli are what their manifests say, small, and free to use."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import pytest

from colorcli import read_manifest
from colorcli.plugin.registry import Registry
from colorcli.weights import read_header, read_state
from colorcli.weights.manifest import FIRST_USE
from tests.documentation import ROOT, read

FOLDER = ROOT / "weights"
MANIFESTS = {path.stem: read_manifest(path.stem, FOLDER) for path in sorted(FOLDER.glob("*.toml"))}
EVERY = [(name, tag, weights) for name, manifest in MANIFESTS.items() for tag, weights in manifest.items()]
BUNDLED = [each for each in EVERY if each[2].bundled]
FREE = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0"}  # commercial use included


def for_each(cases):
    return pytest.mark.parametrize(("name", "tag", "weights"), cases, ids=[f"{name}.{tag}" for name, tag, _ in cases])


def test_every_colorizer_of_ours_has_a_manifest_and_every_manifest_a_colorizer():
    ours = [plugin for plugin in Registry().plugins() if plugin.distribution == "colorcli"]
    assert sorted(MANIFESTS) == sorted(name for plugin in ours for name in plugin.colorizers)


def test_colorizers_work_without_a_network_connection_unless_they_declare_otherwise():
    """DDColor is too large to bundle, and the weights of siggraph17 are the user's to bring."""
    bundled = {name for name, manifest in MANIFESTS.items() if any(weights.bundled for weights in manifest.values())}
    assert MANIFESTS.keys() - bundled == {"ddcolor", "siggraph17"}


@for_each(EVERY)
def test_the_parameters_are_those_of_the_network(name, tag, weights):
    network = Registry().get(name).build(**weights.network)
    assert weights.parameters == sum(parameter.numel() for parameter in network.parameters())


@for_each(EVERY)
def test_every_field_is_plausible(name, tag, weights):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", weights.license), "an SPDX identifier"
    assert weights.source.startswith((f"colorcli train {name} ", "https://"))
    assert len(weights.trained_on.split()) > 3, "the data, in a sentence"
    assert (Path(weights.file).suffix == ".safetensors") == (weights.format == "safetensors")
    assert weights.revision == "" or re.fullmatch("[0-9a-f]{40}", weights.revision), "a commit"
    assert weights.input_size is None or 32 <= weights.input_size <= 1024
    options = {option.name: option for option in Registry().get(name).options}
    for option, value in weights.options.items():
        options[option].check(value)


@for_each([each for each in EVERY if each[2].metrics])
def test_figures_come_with_their_protocol_and_their_command(name, tag, weights):
    figures = {key: value for key, value in weights.metrics.items() if key not in {"protocol", "command"}}
    assert len(weights.metrics["protocol"].split()) > 3
    assert weights.metrics["command"].startswith(("colorcli evaluate ", "https://"))
    assert figures
    assert all(isinstance(value, (int, float)) and math.isfinite(value) for value in figures.values())


@for_each([each for each in BUNDLED if each[2].metrics])
def test_the_figures_are_those_of_the_documentation(name, tag, weights):
    """The row begins with AuC raw, AuC rebalanced, RMSE, L1, PSNR, SSIM and colorfulness."""
    table = read(ROOT / "docs" / "models.md").partition("## The bundled weights side by side")[2]
    row = re.search(rf"^\| {name}\.{tag} \|(.*)\|$", table, re.MULTILINE)
    auc, rebalanced, rmse, _, psnr, ssim, colorfulness = map(float, row[1].split("|"))
    documented = {
        "auc": auc,
        "auc_rebalanced": rebalanced,
        "rmse_ab": rmse,
        "psnr": psnr,
        "ssim": ssim,
        "colorfulness": colorfulness,
    }
    assert {key: weights.metrics[key] for key in documented} == documented


def test_no_two_are_the_same_file():
    hashes = [weights.sha256 for _, _, weights in EVERY if weights.sha256 != FIRST_USE]
    assert len(set(hashes)) == len(hashes)


@for_each(BUNDLED)
def test_the_file_is_the_one_that_the_manifest_promises(name, tag, weights):
    content = Path(weights.file).read_bytes()
    assert len(content) == weights.size
    assert hashlib.sha256(content).hexdigest() == weights.sha256


@for_each(BUNDLED)
def test_the_file_fits_the_network_exactly(name, tag, weights):
    network = Registry().get(name).build(**weights.network)
    state = read_state(Path(weights.file), weights.format)
    network.load_state_dict(state, strict=True)
    assert [name for name, tensor in state.items() if not tensor.isfinite().all()] == []  # fp16 ends at 65,504


@for_each(BUNDLED)
def test_the_license_allows_every_use(name, tag, weights):
    assert weights.license in FREE


@for_each(BUNDLED)
def test_the_file_says_of_itself_what_the_manifest_says(name, tag, weights):
    header = read_header(Path(weights.file))
    assert (header.colorizer, header.input_size) == (name, weights.input_size)
    assert (dict(header.network), dict(header.options)) == (dict(weights.network), dict(weights.options))


def test_the_files_are_small():
    sizes = [weights.size for _, _, weights in BUNDLED]
    assert max(sizes) <= 20_000_000  # an ensemble of seven networks
    assert sum(sizes) <= 60_000_000  # a package of colorcli is downloaded whole


def test_nothing_else_is_bundled():
    named = {Path(weights.file).name for _, _, weights in BUNDLED} | {f"{name}.toml" for name in MANIFESTS}
    assert {path.name for path in FOLDER.iterdir() if not path.name.startswith(".")} == named
