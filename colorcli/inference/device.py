"""Which device to compute on, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from colorcli.errors import DeviceError
from colorcli.inference.openvino import is_installed

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Engine = Literal["torch", "openvino"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device, the precision of the network on it, and what computes it; color science is float32 everywhere."""

    device: torch.device
    dtype: torch.dtype
    engine: Engine = "torch"

    def __str__(self) -> str:
        name = next(name for name, dtype in DTYPES.items() if dtype == self.dtype)
        return f"{self.device} in {name}" + (" by OpenVINO" if self.engine == "openvino" else "")


def choose(device: str = "auto", precision: str = "auto", engine: str = "torch") -> Device:
    """Choose a device, a precision and an engine.

    Args:
        device: `auto` (CUDA, else Apple's MPS, else the CPU) or a name as torch has it: `cpu`, `cuda:1`, `mps`.
        precision: `auto` (bf16 where the hardware computes in it, fp16 on older CUDA cards, else fp32) or a name.
        engine: `torch`, or `openvino`, which computes on the CPU, in fp32 or bf16.

    Raises:
        DeviceError: there is no such device or engine here, no such precision, or they do not go together.
    """
    if engine == "openvino":
        return _with_openvino(device, precision)
    if engine != "torch":
        raise DeviceError(f"There is no engine {engine}.", "Choose torch or openvino.")
    chosen = _available() if device == "auto" else _named(device)
    if precision == "auto":
        return Device(chosen, _fastest(chosen))
    if precision not in DTYPES:
        raise DeviceError(f"There is no precision {precision}.", f"Choose auto or one of {', '.join(DTYPES)}.")
    return Device(chosen, DTYPES[precision])


def _with_openvino(device: str, precision: str) -> Device:
    if not is_installed():
        raise DeviceError("The engine openvino is not installed.", 'Install it with: pip install "colorcli[openvino]"')
    if device not in {"auto", "cpu"}:
        raise DeviceError(f"The engine openvino computes on the CPU, not on {device}.", "Leave out one of the two.")
    chosen = choose("cpu", precision)
    if chosen.dtype == torch.float16:
        raise DeviceError("The engine openvino computes in fp32 or bf16, not in fp16.", "Leave --precision out.")
    return Device(chosen.device, chosen.dtype, "openvino")


def _available() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _named(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # there, and able to compute: not "meta"
    except (RuntimeError, AssertionError, ValueError, NotImplementedError):
        raise DeviceError(
            f"There is no device {name} here.", f"Leave --device out to take the best there is ({_available()})."
        ) from None
    return device


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    computes_in_bf16 = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.bfloat16 if computes_in_bf16 else torch.float32
