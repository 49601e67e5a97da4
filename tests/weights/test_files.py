import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.plugin.registry import Registry
from colorcli.weights import Header, describe, open_file, read_header, read_state, write_state
from tests.tiny import write_tiny_weights

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.steps": torch.tensor(7)}


def assert_same(state):
    assert state.keys() == STATE.keys()
    assert all(value.equal(STATE[name]) for name, value in state.items())


def test_safetensors_and_torch_files_are_read(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(read_state(tmp_path / "a.safetensors", "safetensors"))
    assert_same(read_state(tmp_path / "a.pth", "torch"))
    assert_same(read_state(tmp_path / "old.pth", "torch"))


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (os.mkdir, (str(self.file),))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path, zipped):
    sprung = tmp_path / "sprung"
    torch.save({"weight": Trap(sprung)}, tmp_path / "trap.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsCorrupt, match=r"Cannot open .*trap\.pth .*: it would call \w+\.mkdir") as caught:
        read_state(tmp_path / "trap.pth", "torch")
    assert "weights_only" not in caught.value.message  # PyTorch advises to execute it
    with pytest.raises(WeightsCorrupt):
        open_file(tmp_path / "trap.pth")
    assert not sprung.exists()


@pytest.mark.parametrize("text", ["", "abc", "hello", "not weights\n", "Dear Anna,", "MRS", "\x80\x02junk"])
def test_a_text_file_is_refused_in_plain_words(tmp_path, text):
    (tmp_path / "text.pth").write_text(text, encoding="latin-1")
    with pytest.raises(WeightsCorrupt, match=r"Cannot open .*text\.pth as torch weights: it is not a state dict\."):
        open_file(tmp_path / "text.pth")


def test_a_bare_pickle_is_refused_and_not_run(tmp_path):
    sprung = tmp_path / "sprung"
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    with pytest.raises(WeightsCorrupt):
        open_file(tmp_path / "trap.pkl")
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"<html>moved</html>", b"\x00" * 100, b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("format", ["safetensors", "torch"])
def test_a_file_without_weights_is_refused(tmp_path, content, format):  # noqa: A002
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="Cannot open"):
        read_state(tmp_path / "weights", format)


def test_a_file_with_other_values_than_tensors_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(WeightsCorrupt, match="must be a state dict"):
        read_state(tmp_path / "checkpoint.pth", "torch")


def test_a_file_that_we_write_describes_its_network(tmp_path):
    file = tmp_path / "weights"  # without a suffix
    header = Header("zhang", "mine", {"widths": [8, 16]}, input_size=176)
    write_state(file, STATE, header)
    state, network = open_file(file)
    assert_same(state)
    assert network == {"widths": [8, 16]}
    assert read_header(file) == header


def test_a_file_without_a_header_has_no_hyperparameters(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    assert open_file(tmp_path / "a.safetensors")[1] == {}
    assert open_file(tmp_path / "a.pth")[1] == {}


@pytest.mark.parametrize("header", ["{", "[]", json.dumps({"netwrok": {}})])
def test_a_damaged_header_is_refused(tmp_path, header):
    save_file(STATE, tmp_path / "a.safetensors", metadata={"colorcli": header})
    with pytest.raises(WeightsCorrupt, match="damaged header"):
        open_file(tmp_path / "a.safetensors")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(WeightsNotFound, match="Weights file not found"):
        open_file(tmp_path / "a.safetensors")


def test_a_file_is_described_by_its_header_or_by_the_manifest(tmp_path):
    zhang = Registry().get("zhang")
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    assert describe(ours, {}, zhang) == read_header(ours)
    save_file(STATE, tmp_path / "theirs.safetensors")
    assert describe(tmp_path / "theirs.safetensors", {}, zhang).network == zhang.weights["eccv16"].network
    starter = describe(tmp_path / "theirs.safetensors", {}, zhang, "starter")
    assert (starter.network, starter.input_size) == (zhang.weights["starter"].network, 160)
    named = describe(ours, {}, zhang, "starter")
    assert (named.network, named.input_size, named.tag) == (zhang.weights["starter"].network, None, "tiny")


def test_a_file_for_another_colorizer_is_refused(tmp_path):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    with pytest.raises(WeightsCorrupt, match="has weights for zhang, not for iizuka"):
        describe(ours, {}, Registry().get("iizuka"))
