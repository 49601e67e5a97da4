import pytest
import torch
from torch import nn

from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.evaluation.metrics.judges import Judge

URL = "https://example.invalid/weights/net-0123abcd.pth"


def network():
    return nn.Sequential(nn.Linear(2, 3))


def save(path, seed=0):
    torch.manual_seed(seed)
    state = network().state_dict()
    torch.save(state, path)
    return state


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The folder where torch keeps its downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_a_network_gets_the_weights_of_a_local_file(tmp_path):
    state = save(tmp_path / "mine.pth")
    loaded = Judge("x", URL, tmp_path / "mine.pth").load(network())
    assert torch.equal(loaded[0].weight, state["0.weight"])
    assert not loaded.training
    assert not loaded[0].weight.requires_grad


def test_what_torch_downloaded_before_is_used_offline(hub):
    state = save(hub / "net-0123abcd.pth")
    assert torch.equal(Judge("x", URL, offline=True).load(network())[0].weight, state["0.weight"])


def test_missing_weights_say_where_to_put_them(hub):
    with pytest.raises(WeightsNotFound, match="The weights for x were not found") as caught:
        Judge("x", URL, offline=True).load(network())
    assert str(hub / "net-0123abcd.pth") in str(caught.value)
    assert f"Download {URL} to that path, or use another file: --metrics x=FILE." in str(caught.value)


def test_an_address_that_cannot_be_reached_is_an_error_in_plain_words(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(WeightsNotFound, match=r"cannot be downloaded from https://example\.invalid"):
        Judge("x", URL).load(network())
    assert list(hub.iterdir()) == []


def test_a_file_with_another_hash_is_not_kept(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    save(tmp_path / "net-0123abcd.pth")
    with pytest.raises(WeightsNotFound, match="invalid hash value"):
        Judge("x", (tmp_path / "net-0123abcd.pth").as_uri()).load(network())
    assert list(hub.iterdir()) == []


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(nn.Sequential(nn.Linear(5, 3)).state_dict(), tmp_path / "other.pth")
    with pytest.raises(WeightsCorrupt, match=r"0\.weight is missing or has another shape"):
        Judge("x", URL, tmp_path / "other.pth").load(network())


def test_names_of_layers_are_translated(tmp_path):
    torch.save({"features.7.weight": torch.ones(3, 2), "features.7.bias": torch.ones(3)}, tmp_path / "a.pth")
    loaded = Judge("x", URL, tmp_path / "a.pth").load(network(), {"features.7.": "0."})
    assert loaded[0].weight.eq(1).all()
