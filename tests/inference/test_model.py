import logging

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import colorcli
from colorcli import Colorizer, Option
from colorcli.errors import ColorizerNotFound, DeviceError, PluginError, UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.weights import Header, write_state
from tests.site_packages import SitePackages
from tests.tiny import WIDTHS, tiny_network, write_tiny_weights

FORMULA = """
    from colorcli import Colorizer, hookimpl

    class Formula(Colorizer):
        name = "formula"
        summary = "Needs no weights."
        size = 16
        def build(self):
            from torch import nn
            return nn.Conv2d(1, 2, 1)
        def predict(self, network, lightness):
            return network(lightness)

    @hookimpl
    def register_colorizers(register):
        register(Formula())
"""


class Rooms(Colorizer):
    """Needs as much memory as its network has room for; `give` changes what it returns."""

    name = "rooms"
    summary = "Runs out of memory."
    size = 16
    options = (Option("warmth", 1.0, "how warm", minimum=0.0, maximum=2.0),)

    def build(self, *, room):
        return Room(room)

    def predict(self, network, lightness, *, warmth):
        return network(lightness).expand(-1, 2, -1, -1) * warmth


class Room(nn.Module):
    """Passes lightness on, in batches of a few pictures at most."""

    def __init__(self, room, error=torch.OutOfMemoryError):
        super().__init__()
        self.room, self.error, self.batches = room, error, []

    def forward(self, lightness):
        self.batches.append(len(lightness))
        if len(lightness) > self.room:
            raise self.error("out of memory")
        return lightness


def model_of(network, colorizer=None, precision="fp32"):
    return Model(colorizer or Rooms(), network, choose("cpu", precision), tag="test", fingerprint="0", size=16)


def lightness(batch=1):
    return torch.rand(batch, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 100


@pytest.fixture
def tiny(tmp_path):
    return colorcli.load("zhang", weights=write_tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")


# Loading


def test_a_model_describes_itself(tiny):
    assert repr(tiny) == f"<Model zhang.tiny, 256x256, on {tiny.device}>"
    assert tiny.name == "zhang.tiny"
    assert tiny.colorizer.name == "zhang"
    assert tiny.size == 256
    assert tiny.note == ""


def test_different_weights_have_different_fingerprints(tmp_path):
    fingerprints = {
        colorcli.load(
            "zhang", weights=write_tiny_weights(tmp_path / f"{n}.safetensors", seed), device="cpu"
        ).fingerprint
        for n, seed in enumerate([0, 0, 1])
    }
    assert len(fingerprints) == 2


def test_the_name_of_a_colorizer_that_is_not_installed_is_an_error():
    with pytest.raises(ColorizerNotFound, match="Did you mean zhang"):
        colorcli.load("zhan")


def test_an_unknown_tag_is_an_error_that_suggests_another():
    with pytest.raises(UsageError, match=r"no weights 'eccv'.*eccv16"):
        colorcli.load("zhang.eccv", offline=True)


def test_a_weights_file_that_does_not_exist_is_an_error_that_names_it(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"Weights file not found: .*none\.safetensors"):
        colorcli.load("zhang", weights=tmp_path / "none.safetensors")


@pytest.mark.parametrize("weights", ["starter", "tiny.safetensors"])
def test_a_tag_and_other_weights_are_a_contradiction(weights, tmp_path):
    with pytest.raises(UsageError, match="contradict each other"):
        colorcli.load("zhang.eccv16", weights=weights)


def test_a_weights_file_needs_no_suffix(tmp_path, monkeypatch):
    write_tiny_weights(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert colorcli.load("zhang", weights="mine", device="cpu").name == "zhang.mine"


def test_weights_of_another_colorizer_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    write_state(path, tiny_network().state_dict(), Header(colorizer="iizuka", network={"widths": WIDTHS}))
    with pytest.raises(WeightsCorrupt, match="has weights for iizuka, not for zhang"):
        colorcli.load("zhang", weights=path)


def test_unknown_hyperparameters_in_a_header_are_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "odd.safetensors"
    write_state(path, tiny_network().state_dict(), Header(colorizer="zhang", network={"wings": 2}))
    with pytest.raises(WeightsCorrupt, match=r"odd\.safetensors does not fit.*wings"):
        colorcli.load("zhang", weights=path)


def test_half_precision_weights_give_the_same_colors(tmp_path):
    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tiny_network().state_dict().items()
    }
    write_state(tmp_path / "half.safetensors", halves, Header(colorizer="zhang", network={"widths": WIDTHS}))
    picture = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    half, whole = (
        colorcli.load("zhang", weights=path, device="cpu", precision="fp32").predict(picture)
        for path in (tmp_path / "half.safetensors", write_tiny_weights(tmp_path / "whole.safetensors"))
    )
    assert (half - whole).abs().mean() < 0.1


def test_a_colorizer_without_weights_is_built_the_same_every_time(tmp_path, monkeypatch):
    packages = SitePackages(tmp_path / "site-packages")
    packages.add("colorcli-formula", FORMULA, "formula")
    monkeypatch.syspath_prepend(packages.folder)
    first, second = colorcli.load("formula", device="cpu"), colorcli.load("formula", device="cpu")
    assert first.name == "formula"
    assert first.fingerprint == second.fingerprint != ""
    assert torch.equal(first.predict(lightness()), second.predict(lightness()))
    with pytest.raises(UsageError, match="no weights 'best'"):
        colorcli.load("formula.best")


# Predicting


def test_predict_resizes_nothing_and_gives_float32(tiny):
    ab = tiny.predict(torch.rand(2, 1, 40, 72) * 100)
    assert ab.shape == (2, 2, 40, 72)
    assert ab.dtype == torch.float32


def test_options_reach_the_colorizer_and_are_checked():
    model = model_of(Room(1))
    assert torch.equal(model.predict(lightness(), warmth=2.0), 2 * model.predict(lightness()))
    with pytest.raises(UsageError, match=r"has no option 'warmht'.*warmth"):
        model.predict(lightness(), warmht=1.0)
    with pytest.raises(UsageError, match="a number from 0 to 2"):
        model.predict(lightness(), warmth=3.0)


def test_out_of_memory_halves_the_batch_and_logs_a_warning(caplog):
    network = Room(2)
    with caplog.at_level(logging.WARNING, "colorcli"):
        ab = model_of(network).predict(lightness(7))
    assert torch.equal(ab[:, :1], lightness(7))
    assert network.batches == [7, 3, 1, 1, 1, 3, 1, 1, 1, 1]
    assert "cpu ran out of memory. Continuing with batches of 3." in caplog.text


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_too_little_memory_for_one_picture_is_an_error_and_never_gray(error):
    with pytest.raises(DeviceError, match=r"Not enough memory for rooms\.test"):
        model_of(Room(0, error)).predict(lightness(3))


def test_running_out_of_main_memory_is_recognized():
    class Greedy(nn.Module):
        def forward(self, lightness):
            return torch.empty(2**50) if len(lightness) > 1 else lightness

    assert model_of(Greedy()).predict(lightness(2)).shape == (2, 2, 16, 16)


def test_what_a_plugin_returns_is_checked():
    class Wrong(Rooms):
        def predict(self, network, lightness, *, warmth):
            return lightness.expand(-1, 3, -1, -1)

    with pytest.raises(PluginError, match=r"rooms\.test returned chroma of shape \(2, 3, 16, 16\); expected"):
        model_of(Room(9), Wrong()).predict(lightness(2))


RAISED = {
    "an error": (ValueError("boom"), "ValueError: boom"),
    "an error of torch": (RuntimeError("expected scalar type Float"), "RuntimeError: expected scalar type Float"),
    "no message": (AssertionError(), "AssertionError"),
    "several lines": (KeyError("a\nb"), "KeyError: "),
    "sys.exit": (SystemExit(3), "SystemExit: 3"),
    "an interrupt of its own": (KeyboardInterrupt(), "KeyboardInterrupt"),
    "the end of a generator": (GeneratorExit(), "GeneratorExit"),
    "a stopped iteration": (StopIteration(), "StopIteration"),
}


@pytest.mark.parametrize(("error", "reason"), RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("method", ["predict", "sample", "explain"])
def test_an_exception_in_a_method_is_an_error_that_names_plugin_and_method(method, error, reason):
    def fail(self, network, lightness, **options):
        raise error

    model = model_of(Room(9), type("Faulty", (Rooms,), {method: fail})())
    arguments = {"seed": 1} if method == "sample" else {}
    with pytest.raises(PluginError, match=f"The colorizer rooms failed in {method}: {reason}") as caught:
        getattr(model, method)(lightness(2), **arguments)
    assert caught.value.__cause__ is error


def test_an_error_for_the_user_passes_unchanged():
    class Particular(Rooms):
        def predict(self, network, lightness, *, warmth):
            raise UsageError("These weights have one warmth.")

    with pytest.raises(UsageError, match=r"^These weights have one warmth\.$"):
        model_of(Room(9), Particular()).predict(lightness(2))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_works_on_the_cpu(precision, tmp_path):
    file = write_tiny_weights(tmp_path / "tiny.safetensors")
    picture = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    exact = colorcli.load("zhang", weights=file, device="cpu", precision="fp32").predict(picture)
    assert (
        colorcli.load("zhang", weights=file, device="cpu", precision=precision).predict(picture) - exact
    ).abs().mean() < 0.5


# Colorizing


def gray(bits=8, height=30, width=40):
    ramp = np.linspace(0, 2**bits - 1, height * width).reshape(height, width)
    return ramp.astype(np.uint8 if bits == 8 else np.uint16)


def test_a_pillow_image_gives_a_pillow_image_in_color(tiny):
    out = tiny.colorize(Image.fromarray(gray()))
    assert isinstance(out, Image.Image)
    assert (out.mode, out.size) == ("RGB", (40, 30))
    assert np.ptp(np.asarray(out).astype(int), axis=2).max() > 3


@pytest.mark.parametrize("bits", [8, 16])
def test_an_array_gives_an_array_of_its_type(tiny, bits):
    out = tiny.colorize(gray(bits))
    assert (out.shape, out.dtype) == ((30, 40, 3), gray(bits).dtype)


def test_alpha_is_passed_on(tiny):
    alpha = gray()[::-1]
    out = tiny.colorize(np.dstack([gray(), gray(), gray(), alpha]))
    assert np.array_equal(out[..., 3], alpha)
    assert tiny.colorize(Image.fromarray(gray()).convert("LA")).mode == "RGBA"


def test_a_stream_gives_a_stream_in_order_and_of_the_same_kinds(tiny):
    pictures = [gray(), Image.fromarray(gray(8, 20, 10)), gray(16), *[gray()] * 17]
    taken = []

    def stream():
        for each in pictures:
            taken.append(each)
            yield each

    out = tiny.colorize(stream())
    assert next(out).shape == (30, 40, 3)
    assert len(taken) < len(pictures)  # it streams, whatever the batch size of this machine
    second, third, *_ = out
    assert second.size == (10, 20)
    assert third.dtype == np.uint16


def test_a_picture_in_a_stream_has_the_colors_that_it_has_alone(tiny):
    pictures = [gray(8, 50, 20), gray(8, 33, 77)]
    for alone, streamed in zip(pictures, tiny.colorize(pictures), strict=True):
        assert np.abs(tiny.colorize(alone).astype(int) - streamed).max() <= 1


def test_strength_goes_from_gray_to_full_color(tiny):
    spread = [np.ptp(tiny.colorize(gray(), strength=s).astype(int), axis=2).mean() for s in (0.0, 0.5, 1.0)]
    assert spread[0] < 0.5 < spread[1] < spread[2]
    with pytest.raises(UsageError, match=r"strength must be between 0 and 1, got 1\.5"):
        tiny.colorize(gray(), strength=1.5)


def test_a_wrong_option_is_reported_before_the_first_picture_is_taken(tiny):
    with pytest.raises(UsageError, match=r"no option 'temprature'.*temperature"):
        tiny.colorize(iter([]), temprature=1.0)


@pytest.mark.parametrize("thing", ["photo.jpg", b"\xff\xd8"])
def test_a_path_is_refused_with_a_hint_to_open_it(tiny, thing):
    with pytest.raises(UsageError, match=r"image must be a PIL image or an array, got .*Open it first"):
        tiny.colorize(thing)
    with pytest.raises(UsageError, match="Each image must be a PIL image or an array"):
        list(tiny.colorize([thing]))
