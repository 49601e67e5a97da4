"""Temporal smoothing: within a shot, the chroma of every frame is averaged with that of the frames around it.

The average is recursive, forward and backward, so that it reaches far at the cost of two frames. Chroma is carried
along the optical flow of the lightness, and counts less where the flow is not reliable. Independent of the colorizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import torch

from colorcli.film.flow import DeviceFlowStep, MotionEstimator

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from colorcli.film.flow import FlowStep, ScaledFlowStep

    Plane = NDArray[np.float32]
    Chroma = Any
    """Planes of chroma: an array on the CPU, a tensor on another device."""

Method = Literal["flow", "average", "off"]
METHODS: tuple[Method, ...] = ("flow", "average", "off")
WINDOW = 40
"""The most frames held in memory; after that many, a frame's colors are final."""

_DECAY = {"flow": 0.9, "average": 0.8}  # per frame
_MIN_WEIGHT = np.float32(1e-9)


class Stabilizer:
    """Smooths the chroma of one shot after another, in constant memory.

        stabilizer = Stabilizer("flow")
        for lightness, ab in shot:
            finished += stabilizer.push(lightness, ab)
        finished += stabilizer.finish()

    Args:
        method: `flow` averages along the motion, `average` in place (faster, but moving objects leave color trails),
            `off` returns every frame unchanged.
        window: the most frames held in memory. At least three fifths of them follow a frame when its colors are
            decided; frames further away would count less than a tenth of the frame itself.

    Raises:
        ValueError: unknown method, or a window of fewer than four frames.
    """

    def __init__(self, method: Method = "flow", window: int = WINDOW) -> None:
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
        self._method = method
        self._mean = BidirectionalMean(_DECAY.get(method, 0), window)
        self._motion = MotionEstimator()

    def push(self, lightness: Plane, ab: Chroma) -> list[Chroma]:
        """Add the next frame of the shot.

        Args:
            lightness: (1, h, w) float32 L* in 0..100, every frame of a shot of the same size.
            ab: (2, h, w) float32, of the same height and width: an array, or a tensor on a device other than the CPU.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or several at a time.
        """
        if self._method == "off":
            return [ab]
        step = self._motion.step(lightness) if self._method == "flow" else None
        return self._mean.push(weighted(ab), step)

    def finish(self) -> list[Chroma]:
        """End the shot and return the chroma of its last frames. The next frame starts a new shot from scratch."""
        self._motion = MotionEstimator()
        return self._mean.finish()


@dataclass(frozen=True)
class _Pending:
    """A frame whose colors still depend on the frames after it.

    Attributes:
        own: its own colors, as `weighted` returns them.
        before: the accumulated colors of the frames before it, carried to this frame.
        step: the motion from the previous frame to this one; None to average in place.
    """

    own: Chroma
    before: Chroma
    step: ScaledFlowStep | DeviceFlowStep | None


class BidirectionalMean:
    """The weighted mean of the colors around every frame, carried to it, over a window that advances in blocks.

    A color's weight is `decay` to the power of its distance in frames, times the confidence of every step between.

    Args:
        decay: the factor by which weights shrink with every frame, 0..1.
        window: the most frames held in memory; two fifths of them are finished at a time.

    Raises:
        ValueError: the window is smaller than four frames.
    """

    def __init__(self, decay: float, window: int) -> None:
        if window < 4:
            raise ValueError(f"window must be at least 4 frames, got {window}.")
        self._decay = decay
        self._window = window
        self._pending: list[_Pending] = []

    def push(self, own: Chroma, step: FlowStep | None) -> list[Chroma]:
        """Add the next frame.

        Args:
            own: its colors, as `weighted` returns them; with weight 0 where only other frames contribute.
            step: the motion from the previous frame to this one; None to average in place.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or a block of them.
        """
        moved: ScaledFlowStep | DeviceFlowStep | None = None
        if step:
            moved = step.to(own.device) if isinstance(own, torch.Tensor) else step.at(own.shape[:2])
        if self._pending:
            last = self._pending[-1]
            before = self._carry(last.own + last.before, moved, backward=False)
        else:
            before = own * 0
        self._pending.append(_Pending(own, before, moved))
        return self._decide(2 * self._window // 5) if len(self._pending) == self._window else []

    def finish(self) -> list[Chroma]:
        """End the shot and return the chroma of all pending frames."""
        return self._decide(len(self._pending))

    def _decide(self, count: int) -> list[Chroma]:
        """Run the backward pass over all pending frames, and finish the first ones."""
        decided: list[Chroma] = []
        after: Chroma | float = 0.0
        for number in reversed(range(len(self._pending))):
            pending = self._pending[number]
            onward = pending.own + after
            if number < count:
                decided.append(_mean(pending.before + onward))
            if number:
                after = self._carry(onward, pending.step, backward=True)
        del self._pending[:count]
        return decided[::-1]

    def _carry(self, colors: Chroma, step: ScaledFlowStep | DeviceFlowStep | None, *, backward: bool) -> Chroma:
        if step is None:
            return colors * np.float32(self._decay) if isinstance(colors, np.ndarray) else colors * self._decay
        if isinstance(step, DeviceFlowStep):
            return self._carry_on_device(colors, step, backward=backward)
        carried, confidence = step.carry(colors, backward=backward)
        carried *= cv2.merge([confidence * np.float32(self._decay)] * 4)
        return carried if carried[..., 2].min() > _MIN_WEIGHT else _rescaled(carried)

    def _carry_on_device(self, colors: Tensor, step: DeviceFlowStep, *, backward: bool) -> Tensor:
        carried, confidence = step.carry(colors, backward=backward)
        carried = carried * (confidence * self._decay)
        # As in `_rescaled`, which changes nothing where no weight is too small; asking would wait for the device.
        return carried * (float(_MIN_WEIGHT) / carried[2:].clamp(min=1e-30)).clamp(min=1)


def weighted(ab: Chroma, weight: float = 1) -> Chroma:
    """Lay out chroma (2, h, w) for `BidirectionalMean`: a and b times their weight, and the weight.

    Returns:
        For an array (h, w, 4), padded, as OpenCV warps four channels faster than three; for a tensor (3, h, w).
    """
    if isinstance(ab, torch.Tensor):
        return torch.cat((ab.float(), torch.ones_like(ab[:1], dtype=torch.float32))) * weight
    planes: Plane = np.zeros((*ab.shape[1:], 4), np.float32)
    for channel, plane in enumerate(ab):
        np.multiply(plane, np.float32(weight), out=planes[..., channel])
    planes[..., 2] = weight
    return planes


def _mean(colors: Chroma) -> Chroma:
    if isinstance(colors, torch.Tensor):
        return colors[:2] / colors[2:]
    mean: Plane = np.empty((2, *colors.shape[:2]), dtype=np.float32)
    for channel, plane in enumerate(mean):
        np.divide(colors[..., channel], colors[..., 2], out=plane)
    return mean


def _rescaled(colors: Plane) -> Plane:
    """Raise weights that would soon underflow in float32, so that a pixel keeps the only color it has."""
    weight = colors[..., 2]
    factor: Plane = np.maximum(1, _MIN_WEIGHT / np.maximum(weight, np.float32(1e-30)))
    return colors * factor[..., None]
