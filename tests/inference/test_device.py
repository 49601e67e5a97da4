import os
import subprocess
import sys

import pytest
import torch

from colorcli.errors import DeviceError
from colorcli.inference import device
from colorcli.inference.device import choose, cpu_capabilities


def test_the_cpu_is_always_available():
    assert choose("cpu").device == torch.device("cpu")


def test_auto_chooses_the_fastest_device():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose().device.type == best


def test_auto_uses_bf16_only_if_the_processor_supports_it():
    capabilities = cpu_capabilities()
    has_bf16 = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    assert choose("cpu").dtype == (torch.bfloat16 if has_bf16 else torch.float32)


def test_auto_uses_fp32_where_onednn_may_not_use_what_the_processor_has():
    program = "from colorcli.inference.device import choose; print(choose('cpu').dtype)"
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "torch.float32\n"


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_a_precision_can_be_chosen_and_is_shown(name, dtype):
    chosen = choose("cpu", name)
    assert chosen.dtype == dtype
    assert str(chosen) == f"cpu in {name}"


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "meta", "vulkan"])
def test_an_unavailable_device_is_an_error_that_names_an_available_one(name):
    with pytest.raises(DeviceError, match=rf"Device not available: {name}\. .*\({choose().device}\)"):
        choose(name)


def test_an_unknown_precision_is_an_error_that_lists_the_known_ones():
    with pytest.raises(DeviceError, match=r"precision must be auto, fp32, bf16, fp16, got fp8"):
        choose("cpu", "fp8")


@pytest.fixture
def openvino(monkeypatch):
    """Make OpenVINO count as installed."""
    monkeypatch.setattr(device, "is_installed", lambda: True)


def test_openvino_runs_on_the_cpu_in_its_fastest_precision(openvino):
    chosen = choose(engine="openvino")
    assert chosen.device.type == "cpu"
    assert chosen.dtype == choose("cpu").dtype
    assert str(choose("cpu", "bf16", "openvino")) == "cpu in bf16 by OpenVINO"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("cuda", "auto", "openvino"), "runs on the CPU only, got --device cuda"),
        (("cpu", "fp16", "openvino"), "supports fp32 and bf16, got fp16"),
        (("cpu", "fp32", "tensorrt"), "engine must be torch or openvino, got tensorrt"),
    ],
)
def test_contradictory_choices_are_an_error(openvino, asked, words):
    with pytest.raises(DeviceError, match=words):
        choose(*asked)


def test_an_engine_that_is_not_installed_comes_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(device, "is_installed", lambda: False)
    with pytest.raises(DeviceError, match="not installed") as error:
        choose("cpu", "fp32", "openvino")
    assert 'pip install "colorcli[openvino]"' in error.value.hint
