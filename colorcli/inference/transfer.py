"""Moving pixels and planes to a device and back: once each way, through pinned memory, on the worker's own stream."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "ALLOC_FAILED")


def as_tensor(pixels: NDArray[Any]) -> Tensor:
    """Wrap an array for torch, which requires it to be contiguous, in native byte order and writable."""
    return torch.from_numpy(np.require(pixels, pixels.dtype.newbyteorder("="), ["C_CONTIGUOUS", "WRITEABLE"]))


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to a device. On CUDA, it does not wait for the copy; on the CPU, nothing is copied."""
    if device.type == "cuda":
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return pinned.copy_(tensor).to(device, non_blocking=True)
    return tensor.to(device)


def download(tensor: Tensor) -> Tensor:
    """Copy a tensor to the CPU. On CUDA, this waits for the work of the thread's own stream alone."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    # A spinning thread would take a core from the decoders.
    copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(tensor.device))
    copied.synchronize()
    return host


def start_worker(device: torch.device, threads: int) -> None:
    """Prepare a thread that works on a device: its share of the CPU, and on CUDA a stream of its own."""
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """Return a context, to be entered again and again, in which CUDA works beside the other threads of a film.

    What is computed in it may be used elsewhere after a `download` in it, which waits for all of it.
    """
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


class Uploads:
    """Frames on a device: uploaded when their lightness is computed, and kept there until they are joined.

    A frame that is never joined leaves the device with its pixels.

    Args:
        device: where frames are needed.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._kept: dict[int, tuple[weakref.ref[NDArray[Any]], Tensor]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, pixels: NDArray[Any], device: torch.device | None = None) -> NDArray[Any] | Tensor:
        """Return a frame's pixels on this device or another; for the CPU the array itself."""
        device = device or self.device
        if device.type == "cpu":
            return pixels
        key = id(pixels)
        if (kept := self._kept.get(key)) and kept[0]() is pixels and _is_on(kept[1], device):
            return kept[1]
        uploaded = upload(as_tensor(pixels), device)
        self._kept[key] = weakref.ref(pixels, lambda _: self._kept.pop(key, None)), uploaded
        return uploaded

    def drop(self, pixels: NDArray[Any]) -> None:
        """Forget a frame that is done."""
        self._kept.pop(id(pixels), None)

    def clear(self) -> None:
        """Forget all frames, to make room."""
        self._kept.clear()


def _is_on(tensor: Tensor, device: torch.device) -> bool:
    """Whether a tensor is on a device, which may be written without its number: `cuda` for `cuda:0`."""
    return tensor.device.type == device.type and device.index in {None, tensor.device.index}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the machine itself, ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
