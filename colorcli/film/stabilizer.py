"""Steady colors: within a shot, every frame's chroma is averaged with that of the frames around it.

The mean is recursive, forward and backward, so that it reaches far at the cost of two frames; what is averaged is
carried along the flow of the lightness, and counts less where that cannot be trusted. Nothing here knows a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from colorcli.film.flow import Motion, Step, resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

Method = Literal["flow", "average", "off"]
METHODS: tuple[Method, ...] = ("flow", "average", "off")
WINDOW = 32
"""Frames that are held: after so many at most a frame's colors are decided."""

_KEEP = {"flow": 0.9, "average": 0.8}  # what a color's weight falls to with every frame
_LEAST_WEIGHT = np.float32(1e-9)


class Stabilizer:
    """Steadies the chroma of one shot after the other, in constant memory.

        steady = Stabilizer("flow")
        for lightness, ab in shot:
            finished += steady.push(lightness, ab)
        finished += steady.finish()

    Args:
        method: `flow` averages along the motion, `average` in place (quicker, and moving colors leave trails),
            `off` hands every frame back as it is.
        window: the most frames that are held, of which three quarters at least decide a frame's colors after it.
            What is further away counts less than a tenth of the frame's own.

    Raises:
        ValueError: there is no such method, or the window is less than four frames.
    """

    def __init__(self, method: Method = "flow", window: int = WINDOW) -> None:
        if method not in METHODS:
            raise ValueError(f"The method is {method!r}, where one of {', '.join(METHODS)} was expected.")
        self._method = method
        self._mean = TwoWayMean(_KEEP.get(method, 0), window)
        self._motion = Motion()

    def push(self, lightness: Plane, ab: Plane) -> list[Plane]:
        """Take the next frame of the shot.

        Args:
            lightness: (1, h, w) float32 L* in 0..100, every frame of a shot of the same size.
            ab: (2, h, w) float32, of that size.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or several at a time.
        """
        if self._method == "off":
            return [ab]
        step = self._motion.step(lightness) if self._method == "flow" else None
        return self._mean.push(weighed(ab), step)

    def finish(self) -> list[Plane]:
        """End the shot: the chroma of its last frames. What is pushed next begins another, and takes nothing over."""
        self._motion = Motion()
        return self._mean.finish()


@dataclass(frozen=True)
class _Held:
    """A frame that waits for those after it.

    Attributes:
        own: (h, w, 4) what it says itself: a and b times their weight, the weight, and nothing.
        before: (h, w, 4) what the frames before it say, carried to it.
        step: from the frame before to this one; None where nothing moves.
    """

    own: Plane
    before: Plane
    step: Step | None


class TwoWayMean:
    """The mean of the colors around every frame, carried to it, in a window that moves on in blocks.

    A color's weight is keep to the power of its distance in frames, times the trust in every step between.

    Args:
        keep: what the weight falls to with every frame, 0..1.
        window: the most frames that are held; a quarter of them is decided at a time.

    Raises:
        ValueError: the window is less than four frames.
    """

    def __init__(self, keep: float, window: int) -> None:
        if window < 4:
            raise ValueError(f"The window is {window} frames, where 4 or more was expected.")
        self._keep = keep
        self._window = window
        self._held: list[_Held] = []

    def push(self, own: Plane, step: Step | None) -> list[Plane]:
        """Take the next frame.

        Args:
            own: its colors, of `weighed`; with a weight of 0 where only other frames tell them.
            step: from the frame before to this one; None where nothing moves.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or a block of them.
        """
        before = np.zeros_like(own)
        if self._held:
            last = self._held[-1]
            before = self._carried(last.own + last.before, step, backward=False)
        self._held.append(_Held(own, before, step))
        return self._decide(self._window // 4) if len(self._held) == self._window else []

    def finish(self) -> list[Plane]:
        """End the shot and give the chroma of the frames that are held."""
        return self._decide(len(self._held))

    def _decide(self, count: int) -> list[Plane]:
        """Go back through what is held, and give the first frames their colors."""
        decided: list[Plane] = []
        after: Plane | np.float32 = np.float32(0)
        for number in reversed(range(len(self._held))):
            held = self._held[number]
            onward = held.own + after
            if number < count:
                decided.append(_mean(held.before + onward))
            if number:
                after = self._carried(onward, held.step, backward=True)
        del self._held[:count]
        return decided[::-1]

    def _carried(self, colors: Plane, step: Step | None, *, backward: bool) -> Plane:
        if step is None:
            return colors * np.float32(self._keep)
        carried = step.backward(colors) if backward else step.forward(colors)
        trust = step.seen_after if backward else step.seen_before
        share = resized(trust * np.float32(self._keep), carried.shape[:2])
        carried *= cv2.merge([share] * 4)
        return carried if carried[..., 2].min() > _LEAST_WEIGHT else _raised(carried)


def weighed(ab: Plane, weight: float = 1) -> Plane:
    """Lay chroma (2, h, w) out as `TwoWayMean` takes it: (h, w, 4), for four planes are carried quicker than three."""
    a, b = ab.astype(np.float32) * np.float32(weight)
    ones = np.full_like(a, weight)
    planes: Plane = cv2.merge([a, b, ones, np.zeros_like(a)])
    return planes


def _mean(colors: Plane) -> Plane:
    a, b, weight, _ = cv2.split(colors)
    mean: Plane = np.empty((2, *colors.shape[:2]), dtype=np.float32)
    np.divide(a, weight, out=mean[0])
    np.divide(b, weight, out=mean[1])
    return mean


def _raised(colors: Plane) -> Plane:
    """Raise weights that would soon be too little to count in float32; a place keeps the only color that it has."""
    weight = colors[..., 2]
    factor: Plane = np.maximum(1, _LEAST_WEIGHT / np.maximum(weight, np.float32(1e-30)))
    return colors * factor[..., None]
