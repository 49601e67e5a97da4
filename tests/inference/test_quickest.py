import pytest
import torch
from torch import nn

from colorcli import Colorizer
from colorcli.inference import quickest
from colorcli.inference.device import Device
from colorcli.inference.model import Model
from colorcli.inference.quickest import load_quickest

pytestmark = pytest.mark.skipif(not quickest.is_installed(), reason="OpenVINO is not installed")


class Gray(Colorizer):
    """No chroma."""

    name = "gray"
    summary = "No chroma."
    size = 16

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        return network(lightness).expand(-1, 2, -1, -1) * 0


class Bench:
    """Loads a model with an engine, and simulates how long it takes."""

    def __init__(self, **seconds):
        self.seconds, self.measured, self.loaded = seconds, [], []

    def load(self, engine, dtype=torch.float32):
        self.loaded.append(engine)
        device = Device(torch.device("cpu"), dtype, engine)
        return Model(Gray(), nn.Identity(), device, tag="", fingerprint="0", size=16)

    def time(self, model):
        self.measured.append(model.device.engine)
        return self.seconds[model.device.engine]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "colorcli" / "engines"


@pytest.mark.parametrize(("seconds", "engine"), [((0.004, 0.007), "torch"), ((0.007, 0.004), "openvino")])
def test_the_quicker_engine_is_chosen_and_named(seconds, engine):
    bench = Bench(torch=seconds[0], openvino=seconds[1])
    model = load_quickest(bench.load, bench.time)
    assert model.device.engine == engine
    assert f"torch {1000 * seconds[0]:.1f} ms, OpenVINO {1000 * seconds[1]:.1f} ms" in model.engine_note


def test_engines_are_measured_in_turn_and_only_once():
    bench = Bench(torch=0.007, openvino=0.004)
    load_quickest(bench.load, bench.time)
    assert bench.measured[:4] == ["torch", "openvino"] * 2
    again = Bench(torch=0.001, openvino=0.002)
    assert load_quickest(again.load, again.time).device.engine == "openvino"
    assert again.measured == []


def test_another_precision_is_measured_for_itself():
    bench = Bench(torch=0.007, openvino=0.004)
    load_quickest(bench.load, bench.time)
    measured = len(bench.measured)
    load_quickest(lambda engine: bench.load(engine, torch.bfloat16), bench.time)
    assert len(bench.measured) == 2 * measured


@pytest.mark.parametrize("text", ["", "[]", '{"torch": 1.0}', '{"torch": 1.0, "openvino": "fast"}'])
def test_a_damaged_file_is_measured_again(cache, text):
    bench = Bench(torch=0.007, openvino=0.004)
    load_quickest(bench.load, bench.time)
    (kept,) = cache.iterdir()
    kept.write_text(text)
    bench.measured.clear()
    assert load_quickest(bench.load, bench.time).device.engine == "openvino"
    assert bench.measured


def test_nothing_is_measured_where_openvino_is_missing(monkeypatch):
    monkeypatch.setattr(quickest, "is_installed", lambda: False)
    bench = Bench()
    assert load_quickest(bench.load, bench.time).device.engine == "torch"
    assert bench.loaded == ["torch"]


def test_real_engines_are_measured():
    """Both predict; which one is quicker depends on the machine."""
    model = load_quickest(Bench().load)
    assert " ms, OpenVINO " in model.engine_note
    assert model.predict(torch.full((1, 1, 16, 16), 50.0)).shape == (1, 2, 16, 16)
