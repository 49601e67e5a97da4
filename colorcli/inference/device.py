"""Choosing a device, a precision and an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from colorcli.errors import DeviceError
from colorcli.inference.openvino import is_installed

if TYPE_CHECKING:
    from collections.abc import Mapping

Engine = Literal["torch", "openvino"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device, the precision of the network on it, and the engine; color science always uses float32."""

    device: torch.device
    dtype: torch.dtype
    engine: Engine = "torch"

    def __str__(self) -> str:
        name = next(name for name, dtype in DTYPES.items() if dtype == self.dtype)
        return f"{self.device} in {name}" + (" by OpenVINO" if self.engine == "openvino" else "")


def choose(device: str = "auto", precision: str = "auto", engine: str = "torch") -> Device:
    """Choose a device, a precision and an engine.

    Args:
        device: `auto` (CUDA, else Apple's MPS, else the CPU) or one of torch's names: `cpu`, `cuda:1`, `mps`.
        precision: `auto` (bf16 if the hardware supports it, fp16 on older CUDA cards, else fp32) or a name.
        engine: `torch`, or `openvino`, which runs on the CPU, in fp32 or bf16.

    Raises:
        DeviceError: the device, precision or engine does not exist here, or they cannot be combined.
    """
    if engine == "openvino":
        return _with_openvino(device, precision)
    if engine != "torch":
        raise DeviceError(f"engine must be torch or openvino, got {engine}.")
    chosen = _available() if device == "auto" else _named(device)
    if precision == "auto":
        return Device(chosen, _fastest(chosen))
    if precision not in DTYPES:
        raise DeviceError(f"precision must be auto, {', '.join(DTYPES)}, got {precision}.")
    return Device(chosen, DTYPES[precision])


def cpu_capabilities() -> Mapping[str, Any]:
    """Return which instructions this CPU has, by torch's names for them: `avx512_bf16` and so on."""
    if hasattr(torch.cpu, "get_capabilities"):
        found: Mapping[str, Any] = torch.cpu.get_capabilities()
        return found
    return {  # older torch
        "avx2": torch.cpu._is_avx2_supported(),
        "avx512_f": torch.cpu._is_avx512_supported(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "amx_bf16": torch.cpu._is_amx_tile_supported(),
    }


def _with_openvino(device: str, precision: str) -> Device:
    if not is_installed():
        raise DeviceError("The openvino engine is not installed.", 'Install it: pip install "colorcli[openvino]"')
    if device not in {"auto", "cpu"}:
        raise DeviceError(f"The openvino engine runs on the CPU only, got --device {device}.", "Omit one of the two.")
    chosen = choose("cpu", precision)
    if chosen.dtype == torch.float16:
        raise DeviceError("The openvino engine supports fp32 and bf16, got fp16.", "Omit --precision.")
    return Device(chosen.device, chosen.dtype, "openvino")


def _available() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _named(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # it exists and can compute, unlike "meta"
    except (RuntimeError, AssertionError, ValueError, NotImplementedError):
        raise DeviceError(
            f"Device not available: {name}.", f"Omit --device to use the best one available ({_available()})."
        ) from None
    return device


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _cpu_computes_in_bf16() else torch.float32


def _cpu_computes_in_bf16() -> bool:
    capabilities = cpu_capabilities()
    if not (capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")):
        return False
    # ONEDNN_MAX_CPU_ISA may keep oneDNN from using what the processor has.
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # type: ignore[no-untyped-call]
