"""The weights that come with colorcli are what their manifests say, small, and free to use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from colorcli import read_manifest
from colorcli.registry import Registry
from colorcli.weights import read_state

FOLDER = Path(__file__).parents[1] / "weights"
MANIFESTS = {path.stem: read_manifest(path.stem, FOLDER) for path in sorted(FOLDER.glob("*.toml"))}
EVERY = [(name, tag, weights) for name, manifest in MANIFESTS.items() for tag, weights in manifest.items()]
BUNDLED = [each for each in EVERY if each[2].bundled]
FREE = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0"}  # commercial use included


def for_each(cases):
    return pytest.mark.parametrize(("name", "tag", "weights"), cases, ids=[f"{name}.{tag}" for name, tag, _ in cases])


def test_every_colorizer_of_ours_has_a_manifest_and_every_manifest_a_colorizer():
    ours = [plugin for plugin in Registry().plugins() if plugin.distribution == "colorcli"]
    assert sorted(MANIFESTS) == sorted(name for plugin in ours for name in plugin.colorizers)


def test_every_colorizer_works_without_a_network_connection():
    for name, manifest in MANIFESTS.items():
        assert any(weights.bundled for weights in manifest.values()), f"{name} has no bundled weights"


@for_each(EVERY)
def test_the_parameters_are_those_of_the_network(name, tag, weights):
    network = Registry().get(name).build(**weights.network)
    assert weights.parameters == sum(parameter.numel() for parameter in network.parameters())


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
def test_the_licence_allows_every_use(name, tag, weights):
    assert weights.license in FREE


@for_each(BUNDLED)
def test_the_command_that_trained_them_is_told(name, tag, weights):
    assert weights.source.startswith((f"colorcli train {name} ", "https://"))


def test_the_files_are_small():
    sizes = [weights.size for _, _, weights in BUNDLED]
    assert max(sizes) <= 12_000_000
    assert sum(sizes) <= 40_000_000


def test_nothing_else_is_bundled():
    named = {Path(weights.file).name for _, _, weights in BUNDLED} | {f"{name}.toml" for name in MANIFESTS}
    assert {path.name for path in FOLDER.iterdir() if not path.name.startswith(".")} == named
