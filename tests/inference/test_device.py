import pytest
import torch

from colorcli.errors import DeviceError
from colorcli.inference import device
from colorcli.inference.device import choose


def test_the_cpu_is_always_there():
    assert choose("cpu").device == torch.device("cpu")


def test_auto_takes_the_quickest_that_there_is():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose().device.type == best


def test_auto_computes_in_bf16_only_where_the_processor_does():
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    assert choose("cpu").dtype == (torch.bfloat16 if has_bf16 else torch.float32)


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_a_precision_can_be_forced_and_is_told(name, dtype):
    chosen = choose("cpu", name)
    assert chosen.dtype == dtype
    assert str(chosen) == f"cpu in {name}"


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "meta", "vulkan"])
def test_a_device_that_is_not_here_is_an_error_that_names_one_that_is(name):
    with pytest.raises(DeviceError, match=rf"There is no device {name} here\. .*\({choose().device}\)"):
        choose(name)


def test_a_precision_that_does_not_exist_is_an_error_that_names_those_that_do():
    with pytest.raises(DeviceError, match=r"no precision fp8.* fp32, bf16, fp16"):
        choose("cpu", "fp8")


@pytest.fixture
def openvino(monkeypatch):
    """Whether it is installed or not, it counts as that."""
    monkeypatch.setattr(device, "is_installed", lambda: True)


def test_openvino_computes_on_the_cpu_in_the_precision_that_it_is_quickest_in(openvino):
    chosen = choose(engine="openvino")
    assert chosen.device.type == "cpu"
    assert chosen.dtype == choose("cpu").dtype
    assert str(choose("cpu", "bf16", "openvino")) == "cpu in bf16 by OpenVINO"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("cuda", "auto", "openvino"), "computes on the CPU, not on cuda"),
        (("cpu", "fp16", "openvino"), "in fp32 or bf16, not in fp16"),
        (("cpu", "fp32", "tensorrt"), "no engine tensorrt. .*torch or openvino"),
    ],
)
def test_what_does_not_go_together_is_an_error(openvino, asked, words):
    with pytest.raises(DeviceError, match=words):
        choose(*asked)


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(device, "is_installed", lambda: False)
    with pytest.raises(DeviceError, match="not installed") as error:
        choose("cpu", "fp32", "openvino")
    assert 'pip install "colorcli[openvino]"' in error.value.hint
