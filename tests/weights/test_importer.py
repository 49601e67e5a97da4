import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import colorcli
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.plugin.registry import Registry
from colorcli.weights import read_header
from colorcli.weights.importer import import_file
from colorcli.weights.verification import sha256_of
from tests.tiny import WIDTHS, tiny_network, write_tiny_weights
from tests.weights.conftest import describe
from tests.weights.test_files import Trap


class Tiny(type(Registry().get("zhang"))):
    """Zhang with tiny published weights."""

    name = "zhang"

    def adapt(self, state, network):
        return {key.removeprefix("module."): value for key, value in state.items()}


@pytest.fixture
def tiny():
    published = describe("published.pth", b"unknown", "someone/something", network={"widths": WIDTHS}, license="MIT")
    Tiny.weights = {"published": published}
    return Tiny()


@pytest.fixture
def checkpoint(tmp_path):
    """A file as PyTorch saves it after training on several devices."""
    state = {f"module.{name}": tensor for name, tensor in tiny_network().state_dict().items()}
    torch.save(state, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_a_published_checkpoint_becomes_a_file_with_a_header(checkpoint, tiny):
    file = import_file(checkpoint, tiny)
    assert file == checkpoint.with_suffix(".safetensors")
    header = read_header(file)
    assert (header.colorizer, header.tag, header.network) == ("zhang", "imported", {"widths": WIDTHS})
    model, same = (
        colorcli.load("zhang", weights=file),
        colorcli.load("zhang", weights=write_tiny_weights(file.parent / "w")),
    )
    lightness = torch.rand(1, 1, 32, 32) * 100
    assert model.predict(lightness).equal(same.predict(lightness))


def test_a_manifest_table_is_written_beside_it(checkpoint, tiny):
    file = import_file(checkpoint, tiny)
    (table,) = tomllib.loads(file.with_suffix(".toml").read_text()).values()
    assert (table["file"], table["sha256"], table["size"]) == (file.name, sha256_of(file), file.stat().st_size)
    assert table["parameters"] == sum(p.numel() for p in tiny_network().parameters())
    assert (table["license"], table["source"], table["network"]) == ("NOASSERTION", "theirs.pth", {"widths": WIDTHS})


def test_a_published_file_keeps_its_license_and_source(checkpoint, tiny):
    Tiny.weights = {"published": describe("p", checkpoint.read_bytes(), "a/b", network={"widths": WIDTHS})}
    table = tomllib.loads(import_file(checkpoint, tiny).with_suffix(".toml").read_text())
    assert table["published"]["license"] == "MIT"
    assert table["published"]["trained_on"] == "nothing"


def test_our_own_weights_keep_their_header(tmp_path, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    assert read_header(import_file(ours, tiny, target=tmp_path / "again.safetensors")) == read_header(ours)


def test_nothing_is_overwritten(tmp_path, checkpoint, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    with pytest.raises(UsageError, match=r"File already exists: .*ours\.safetensors") as caught:
        import_file(ours, tiny)
    assert "-o" in caught.value.hint
    checkpoint.with_suffix(".toml").touch()
    with pytest.raises(UsageError, match=r"File already exists: .*theirs\.toml"):
        import_file(checkpoint, tiny)


@pytest.mark.parametrize("change", ["a tensor missing", "a tensor too many", "another shape"])
def test_a_file_that_does_not_fit_exactly_is_refused_and_nothing_is_written(tmp_path, tiny, change):
    state = tiny_network().state_dict()
    name = next(iter(state))
    if change == "a tensor missing":
        del state[name]
    else:
        state["more" if change == "a tensor too many" else name] = torch.zeros(7)
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang"):
        import_file(tmp_path / "theirs.pth", tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


def test_a_malicious_file_is_refused_and_not_executed(tmp_path, tiny):
    torch.save({"weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(WeightsCorrupt, match=r"would call .*mkdir"):
        import_file(tmp_path / "trap.pth", tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["trap.pth"]


def test_missing_files_and_tags_are_reported(tmp_path, tiny):
    with pytest.raises(WeightsNotFound, match="Weights file not found"):
        import_file(tmp_path / "nothing.pth", tiny)
    with pytest.raises(UsageError, match="no weights 'best'"):
        import_file(tmp_path / "nothing.pth", tiny, "best")


@pytest.mark.parametrize("folder", [".", ".."])
def test_a_folder_is_not_a_weights_file(tmp_path, tiny, checkpoint, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsNotFound, match="Weights file not found"):
        import_file(Path(folder), tiny)
    with pytest.raises(UsageError, match="File already exists"):
        import_file(checkpoint, tiny, target=Path(folder))


def test_an_explicit_tag_decides_the_network_whatever_the_header_says(tmp_path, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    Tiny.weights["wide"] = describe("wide.pth", b"unknown", "someone/something", network={"widths": [8, 8, 8, 8]})
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang") as caught:
        import_file(ours, tiny, "wide", tmp_path / "again.safetensors")
    assert "[8, 8, 8, 8]" in caught.value.hint


def test_a_target_that_cannot_be_written_is_reported(tmp_path, tiny):
    save_file({k: v.contiguous() for k, v in tiny_network().state_dict().items()}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="Cannot write"):
        import_file(tmp_path / "a.safetensors", tiny, target=tmp_path / "nowhere" / "b.safetensors")
