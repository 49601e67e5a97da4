import logging
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

import colorcli
from colorcli import Colorizer
from colorcli.cli import main
from colorcli.color import lab_to_linear
from colorcli.errors import UsageError
from colorcli.inference import openvino
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.media.pictures.files import Frame
from colorcli.media.pictures.provenance import read_provenance
from tests.tiny import tiny_network, write_tiny_weights

pytest.importorskip("openvino")

ENGINES = ("torch", "openvino")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty folder of exports."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "colorcli" / "openvino"


@pytest.fixture
def exported(monkeypatch):
    """The shapes that networks were exported for."""
    shapes, export = [], openvino._export

    def listening(part, forward, of, step):
        shapes.append(of)
        return export(part, forward, of, step)

    monkeypatch.setattr(openvino, "_export", listening)
    return shapes


def pictures(count=3, height=32, width=32):
    return torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(0)) * 100


class Plain(Colorizer):
    """A colorizer with a given network that returns chroma in -1..1 as its first result."""

    name = "plain"
    summary = "What the network says, times 50."
    multiple_of = 4

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        found = network(lightness / 100)
        return (found[0] if isinstance(found, tuple) else found) * 50


class Layers(nn.Module):
    """Convolutions at half and at full size; `scale` is no weight."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.ConvTranspose2d(8, 2, 4, stride=2, padding=1)

    def forward(self, x):
        return self.last(self.norm(self.first(x)).relu()).tanh() * self.scale


class Pair(Layers):
    """Also looks at a small copy, and returns a second result."""

    def forward(self, x):
        copy = functional.interpolate(x, (12, 20), mode="bilinear", antialias=True)
        return super().forward(x) + copy.mean(dim=(1, 2, 3), keepdim=True), None, copy


class Colorful(Layers):
    """Computes in linear RGB, channel by channel."""

    def forward(self, x):
        return super().forward(x) + lab_to_linear(100 * x, super().forward(x))[:, :2]


class Moody(Layers):
    """Cannot be exported: what it does depends on values."""

    def forward(self, x):
        return super().forward(x) * (2 if x.mean() > 0.5 else 1)


class Hollow(Layers):
    """Concatenates an empty tensor, which would crash OpenVINO."""

    def forward(self, x):
        return super().forward(torch.cat([x, x.new_zeros(len(x), 0, *x.shape[2:])], dim=1))


class Ensemble(nn.Module):
    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(colorcli.defer(seeded(Layers)) for _ in range(3))

    def forward(self, x):
        return torch.cat([self.members[int(each.mean() > 0.5)](each[None]) for each in x])


def seeded(make, *args):
    torch.manual_seed(0)
    return make(*args)


def model_of(network, engine="openvino", precision="fp32", size=32):
    return Model(Plain(), network, choose("cpu", precision, engine), tag="test", fingerprint="0", size=size)


def both(make, lightness, size=32, precision="fp32"):
    """The results of torch and of OpenVINO."""
    return [model_of(seeded(make), engine, precision, size).predict(lightness) for engine in ENGINES]


# The same colors


def test_a_colorizer_gives_the_same_colors_with_either_engine(tmp_path):
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    expected, found = (
        colorcli.load("zhang", weights=weights, precision="fp32", engine=engine).predict(pictures())
        for engine in ENGINES
    )
    assert expected.abs().mean() > 5
    assert (found - expected).abs().max() < 1e-2


@pytest.mark.parametrize("make", [Layers, Pair, Colorful, Ensemble])
def test_networks_of_every_kind_give_the_same_colors(make):
    expected, found = both(make, pictures())
    assert expected.std() > 1
    assert (found - expected).abs().max() < 1e-3


def test_bf16_differs_by_rounding(exported):
    expected, found = both(Layers, pictures(), precision="bf16")
    assert 0 < (found - expected).abs().mean() < 0.5
    model_of(seeded(Layers)).predict(pictures())
    assert len(exported) == 1  # which serves both precisions


def test_every_result_of_a_network_is_returned():
    network = model_of(seeded(Pair))._place[1]
    first, nothing, copy = network(pictures() / 100)
    assert (first.shape, nothing, copy.shape) == ((3, 2, 32, 32), None, (3, 1, 12, 20))


def test_antialiased_scaling_agrees_with_torch():
    x = pictures(2, 37, 50)
    for size in ((12, 20), (80, 64), (37, 13)):
        expected = functional.interpolate(x, size, mode="bilinear", antialias=True)
        assert torch.allclose(openvino._antialiased(x, size, False), expected, atol=1e-3)


def test_a_picture_has_the_same_colors_alone_and_among_others_and_every_time():
    model = model_of(seeded(Layers))
    together = model.predict(pictures())
    assert together.equal(model.predict(pictures()))
    assert together.equal(torch.cat([model.predict(each[None]) for each in pictures()]))


def test_many_threads_can_call_a_network_at_once():
    model = model_of(seeded(Layers))
    answers = []

    def ask():
        torch.set_num_threads(1)
        answers.append(model.predict(pictures()))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert all(answer.equal(answers[0]) for answer in answers)


def test_a_thread_that_calls_a_network_while_it_is_exported_does_not_disturb_the_export(caplog):
    traced, call = threading.Event(), nn.Module.__call__

    class Slow(nn.Module):
        def forward(self, x):
            if nn.Module.__call__ is not call:  # replaced by the tracer, for every thread
                traced.set()
                threading.Event().wait(0.3)  # the other thread calls the network now, or waits for its turn
            return x

    class Meeting(Layers):
        def __init__(self):
            super().__init__()
            self.slow = Slow()

        def forward(self, x):
            return super().forward(self.slow(x))

    model = model_of(seeded(Meeting))
    answers = []

    def ask():
        traced.wait(60)
        answers.append(model.predict(pictures()))

    other = threading.Thread(target=ask)
    other.start()
    with caplog.at_level(logging.WARNING, "colorcli"):
        expected = model.predict(pictures())
        assert traced.is_set()
        other.join()
    assert answers[0].equal(expected)
    assert "cannot run" not in caplog.text


def test_pictures_of_any_size_share_one_export(exported):
    model = model_of(seeded(Layers), size=None)
    reference = model_of(seeded(Layers), "torch", size=None)
    frames = [Frame(np.full(size, 90, np.uint8)) for size in ((30, 40), (41, 23), (5, 9), (64, 64))]
    for ours, theirs in zip(Pipeline(model).colorize(frames), Pipeline(reference).colorize(frames), strict=True):
        assert np.abs(ours.pixels.astype(int) - theirs.pixels).max() <= 1
    assert len(exported) == 1


# Kept for the next time


def test_a_network_is_exported_once_for_all_processes(exported, cache):
    first = model_of(seeded(Layers)).predict(pictures())
    second = model_of(seeded(Layers)).predict(pictures())
    assert first.equal(second)
    assert exported == [((1, 1, 32, 32),)]
    assert [file.name for file in sorted(cache.glob("*/*"))] == ["network.bin", "network.xml"]


def test_an_export_is_reused_only_if_nothing_that_affects_results_has_changed(exported):
    changed = seeded(Layers)
    changed.norm.running_mean += 1
    for network in (seeded(Layers), changed, seeded(Layers, 0.5)):
        model_of(network).predict(pictures())
    model_of(seeded(Layers)).predict(pictures(height=48))
    assert len(exported) == 4


def test_changed_code_is_exported_again(monkeypatch, tmp_path):
    part = seeded(Layers)
    before = openvino._digest(part, ())
    (tmp_path / "other.py").write_text("# another forward\n")
    monkeypatch.setattr(openvino, "_code", lambda part: [tmp_path / "other.py"])
    assert openvino._digest(part, ()) != before


def test_the_code_of_a_network_is_its_own_packages_without_torch():
    names = {path.name for path in openvino._code(tiny_network())}
    assert {"network.py", "bins.py"} <= names
    assert "conv.py" not in names


def test_a_damaged_export_is_replaced(exported, cache):
    expected = model_of(seeded(Layers)).predict(pictures())
    next(cache.glob("*/network.xml")).write_text("<net")
    assert model_of(seeded(Layers)).predict(pictures()).equal(expected)
    assert len(exported) == 2


def test_a_cache_folder_that_is_not_writable_is_not_an_error(cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where a folder should be")
    expected, found = both(Layers, pictures())
    assert (found - expected).abs().max() < 1e-3


def test_unused_members_of_an_ensemble_are_not_exported(exported):
    model_of(seeded(Ensemble)).predict(torch.full((1, 1, 32, 32), 20.0))
    assert len(exported) == 1


# Torch, where OpenVINO cannot


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", [Moody, Hollow])
def test_a_network_that_cannot_be_exported_runs_in_torch_with_a_warning(caplog, make, precision):
    with caplog.at_level(logging.WARNING, "colorcli"):
        expected, found = both(make, pictures(), precision=precision)
    assert found.equal(expected)
    (record,) = [record for record in caplog.records if record.name == "colorcli"]
    assert record.message.startswith(f"OpenVINO cannot run {make.__name__}. Using torch instead: ")
    assert "\n" not in record.message


@pytest.mark.parametrize("asked", [(torch.zeros(1, 1, 8, 8, dtype=torch.int64),), (torch.zeros(1, 1, 8, 8), 0.5)])
def test_a_call_with_other_arguments_than_floating_point_tensors_runs_in_torch(asked, caplog):
    class Asked(nn.Module):
        def forward(self, x, scale=2):
            return x * scale

    network = model_of(Asked())._place[1]
    with caplog.at_level(logging.WARNING, "colorcli"):
        assert network(*asked).equal(Asked()(*asked))
    assert "its arguments must be floating-point tensors" in caplog.text


def test_an_error_that_a_network_raises_is_passed_on():
    class Picky(Layers):
        def forward(self, x):
            raise UsageError("Sides of 32 are too small.")

    with pytest.raises(UsageError, match="too small"):
        model_of(Picky()).predict(pictures())


def test_a_network_that_is_placed_again_runs_in_torch_again():
    network = seeded(Layers)
    expected = model_of(network, "torch").predict(pictures())
    model_of(network).predict(pictures())
    assert model_of(network, "torch").predict(pictures()).equal(expected)


# At home


def test_openvino_sends_no_telemetry():
    program = (
        "import sys; from colorcli.inference import openvino; openvino._openvino();"
        "from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("telemetry_stub")


@pytest.mark.parametrize("option", ["run", "evaluate"])
def test_commands_take_the_engine(option, tmp_path, exported, capsys):
    weights = str(write_tiny_weights(tmp_path / "tiny.safetensors"))
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noise).save(tmp_path / "in" / "a.png")
    words = {
        "run": ["run", "--recolor", "-m", "zhang", str(tmp_path / "in"), "-o", str(tmp_path / "out")],
        "evaluate": ["evaluate", "zhang", str(tmp_path / "in"), "--size", "32"],
    }[option]
    assert main([*words, "--weights", weights, "--engine", "openvino", "--precision", "fp32"]) == 0
    assert len(exported) == 1
    if option == "evaluate":
        assert "by OpenVINO" in capsys.readouterr().out
        return
    made = read_provenance(tmp_path / "out" / "a.png")
    assert made == Pipeline(colorcli.load("zhang", weights=weights)).provenance  # the engine decides no colors
