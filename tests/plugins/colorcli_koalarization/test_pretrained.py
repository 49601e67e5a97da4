import hashlib
import json
import socket

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save
from torch import nn

from colorcli.errors import ColorizerNotFound, UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights import Header, write_state
from colorcli_koalarization.extractors import Extractor
from colorcli_koalarization.network import KoalarizationNetwork
from colorcli_koalarization.pretrained import give_weights
from colorcli_pix2pix.resnet import ResNet34
from tests.hub import serve, turn_to
from tests.site_packages import SitePackages


def extractor(seed=0):
    torch.manual_seed(seed)
    return Extractor("resnet34-grey", width=2, size=32)


def trained_router(width=2):
    torch.manual_seed(1)
    router = ResNet34(width=width, classes=6)
    for buffer in router.buffers():  # statistics that a new network does not have
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    return router


def assert_has(made, router):
    state = made.model.state_dict()
    assert all(state[name].equal(value) for name, value in router.state_dict().items())


# From files


@pytest.mark.parametrize("prefix", ["", "router."])
def test_a_file_of_a_router_alone_or_in_an_ensemble_gives_its_weights(tmp_path, prefix):
    router, made = trained_router(), extractor()
    state = {prefix + name: value for name, value in router.state_dict().items()}
    if prefix:
        state["generators.people.weight"] = torch.zeros(3)
    write_state(tmp_path / "router.safetensors", state, Header("pix2pix"))
    give_weights(made, str(tmp_path / "router.safetensors"))
    assert_has(made, router)


def test_a_torch_state_dict_gives_its_weights(tmp_path):
    router, made = trained_router(), extractor()
    torch.save(router.state_dict(), tmp_path / "router.pth")
    give_weights(made, str(tmp_path / "router.pth"))
    assert_has(made, router)


def test_weights_of_a_whole_koalarization_network_give_their_extractors(tmp_path):
    torch.manual_seed(2)
    network = KoalarizationNetwork(0.05, extractor="resnet34-grey", extractor_width=2, extractor_size=32)
    write_state(tmp_path / "whole.safetensors", network.state_dict(), Header("koalarization"))
    made = extractor()
    give_weights(made, str(tmp_path / "whole.safetensors"))
    assert_has(made, network.extractor.model)


def test_weights_in_fp16_are_computed_with_in_fp32(tmp_path):
    router, made = trained_router(), extractor()
    torch.save(router.half().state_dict(), tmp_path / "router.pt")
    give_weights(made, str(tmp_path / "router.pt"))
    assert {value.dtype for value in made.model.parameters()} == {torch.float32}
    assert_has(made, router.float())


def test_a_file_of_another_network_is_an_error_that_says_what_to_set(tmp_path):
    torch.save(trained_router(width=4).state_dict(), tmp_path / "router.pt")
    with pytest.raises(WeightsCorrupt, match="does not fit the extractor resnet34-grey") as caught:
        give_weights(extractor(), str(tmp_path / "router.pt"))
    assert "extractor_width" in caught.value.hint


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"not found: .*router\.safetensors"):
        give_weights(extractor(), str(tmp_path / "router.safetensors"))


# From a model


PLUGIN = """
    from pathlib import Path
    from colorcli import Colorizer, hookimpl, read_manifest

    class Routed(Colorizer):
        name = "routed"
        summary = "Has a router."
        weights = read_manifest("routed", Path(__file__).parent)
        def build(self):
            raise NotImplementedError
        def predict(self, network, lightness):
            raise NotImplementedError

    @hookimpl
    def register_colorizers(register):
        register(Routed())
"""


def test_the_name_of_a_model_gives_the_weights_of_its_router(tmp_path, monkeypatch):
    router, made = trained_router(), extractor()
    file = tmp_path / "site" / "routed.safetensors"
    SitePackages(tmp_path / "site").add("routed", PLUGIN, "routed")
    write_state(file, {f"router.{name}": value for name, value in router.state_dict().items()}, Header("routed"))
    fields = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "size": file.stat().st_size,
        "license": "MIT",
        "source": "tests",
        "trained_on": "nothing",
    }
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items())
    file.with_suffix(".toml").write_text(f"[starter]\n{table}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    give_weights(made, "routed.starter")
    assert_has(made, router)


def test_a_model_that_does_not_exist_is_an_error():
    with pytest.raises(ColorizerNotFound, match="Colorizer not found: pix3pix"):
        give_weights(extractor(), "pix3pix.starter")


# None


def test_random_leaves_the_weights_as_they_are():
    made = extractor()
    give_weights(made, "random")
    assert_has(made, extractor().model)


def test_no_extractor_needs_no_weights():
    give_weights(Extractor("none"), "published")


# Published


def test_a_router_is_not_published():
    with pytest.raises(UsageError, match="resnet34-grey has no published weights") as caught:
        give_weights(extractor(), "published")
    assert 'pretrained = "pix2pix.starter"' in caught.value.hint


@pytest.fixture
def nobody():
    """An address without a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def downloads(tmp_path, monkeypatch, nobody):
    """Empty folders of downloads, without access to the network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, nobody)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    turn_to(nobody, monkeypatch)
    return tmp_path


def published(name):
    """An extractor of that name with a network of six numbers in place of millions."""
    made = Extractor("none")
    made.name, made.model = name, nn.Linear(5, 1)
    return made


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("inception-resnet-v2", "huggingface.co/timm/inception_resnet_v2.tf_in1k"),
        ("inception-v3", "https://download.pytorch.org/models/inception_v3_google"),
        ("convnext-tiny", "https://download.pytorch.org/models/convnext_tiny"),
    ],
)
def test_published_weights_that_cannot_be_reached_are_an_error(downloads, monkeypatch, name, address, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    with pytest.raises(
        WeightsNotFound, match=f"published weights of {name} are not available from {address}"
    ) as caught:
        give_weights(published(name), "published")
    assert 'pretrained = "FILE"' in caught.value.hint
    assert 'resnet34-grey with pretrained = "pix2pix.starter"' in caught.value.hint


@pytest.mark.parametrize(
    ("name", "file"),
    [("inception-v3", "inception_v3_google-0cc3c7bd.pth"), ("convnext-tiny", "convnext_tiny-983f1562.pth")],
)
def test_the_published_weights_of_torchvision_are_taken_from_its_downloads(downloads, name, file):
    made = published(name)
    state = {"weight": torch.arange(5.0)[None], "bias": torch.ones(1)}
    path = downloads / "torch" / "hub" / "checkpoints" / file
    path.parent.mkdir(parents=True)
    torch.save({**state, "AuxLogits.fc.bias": torch.ones(3)}, path)
    give_weights(made, "published")
    assert made.model.weight.equal(state["weight"])


def test_the_published_extractor_comes_from_the_hub_once(downloads, monkeypatch, nobody):
    state = {"weight": torch.arange(5.0)[None], "bias": torch.ones(1)}
    with serve() as hub:
        hub.files["timm/inception_resnet_v2.tf_in1k/model.safetensors"] = save(state)
        turn_to(hub.endpoint, monkeypatch)
        first = published("inception-resnet-v2")
        give_weights(first, "published")
    turn_to(nobody, monkeypatch)
    second = published("inception-resnet-v2")
    give_weights(second, "published")
    for made in (first, second):
        assert made.model.weight.equal(state["weight"])
