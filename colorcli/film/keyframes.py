"""Fewer predictions, and colors set by people: both are carried along the optical flow to the frames in between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from colorcli.film.flow import FlowStep, MotionEstimator, downscale, resize, warp
from colorcli.film.stabilizer import WINDOW, BidirectionalMean, weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]
    Chroma = Any  # an array on the CPU, a tensor on another device
    Predict = Callable[[Sequence[Plane]], Sequence[Chroma]]

MAX_DISTANCE = 12
"""Frames between two key frames, unless the picture changes sooner."""

MAX_NEW = 0.15
"""The share of the picture that may be new since the last key frame before another one is needed."""

_EPSILON = np.float32(1e-9)  # avoids a division by 0
_DECAY = 0.95  # decay of a color's weight per frame


class Keyframes:
    """Predicts the chroma of key frames only and carries it to the frames between, from both sides.

        keyframes = Keyframes(predict)
        for lightness in shot:
            finished += keyframes.push(lightness)
        finished += keyframes.finish()

    A frame's colors are the mean of those of the key frames around it, weighted by distance and by confidence in the
    flow. So are the colors of the key frames themselves, which smooths them as `Stabilizer` does. The first frame of a
    shot is a key frame.

    Args:
        predict: takes the lightness of key frames, as pushed, and returns their chroma, (2, h, w) each.
        every: the distance between key frames; None to place one when 15 % of the picture is new since the last one,
            and at least every 12 frames.
        batch: how many key frames are predicted at once; up to `batch * every` frames wait for that.

    Raises:
        ValueError: every or batch is less than 1.
    """

    def __init__(self, predict: Predict, every: int | None = None, *, batch: int = 1) -> None:
        if (every is not None and every < 1) or batch < 1:
            raise ValueError(f"every and batch must be at least 1, got {every} and {batch}.")
        self._predict = predict
        self._every = every or MAX_DISTANCE
        self._auto = every is None
        self._batch = batch
        self._mean = BidirectionalMean(_DECAY, max(WINDOW, 2 * self._every))
        self._begin()

    def push(self, lightness: Plane) -> list[Chroma]:
        """Add the next frame of the shot: (1, h, w) float32 L* in 0..100, every frame of the same size.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or several at a time.
        """
        step = self._motion.step(lightness)
        key = self._is_key(step)
        self._waiting.append((lightness, step, key))
        self._keys += key
        return self._color() if self._keys == self._batch else []

    def finish(self) -> list[Chroma]:
        """End the shot and return the chroma of its last frames. The next frame starts a new shot from scratch."""
        finished = self._color() + self._mean.finish()
        self._begin()
        return finished

    def _begin(self) -> None:
        self._motion = MotionEstimator()
        self._waiting: list[tuple[Plane, FlowStep | None, bool]] = []
        self._keys = 0
        self._since = 0
        self._visible: Plane | None = None
        self._last_key: Chroma = None

    def _is_key(self, step: FlowStep | None) -> bool:
        """Decide whether the frame that a step leads to is a key frame."""
        self._since += 1
        if step is None or self._since >= self._every:
            key = True
        elif self._auto:
            visible = np.ones_like(step.backward_confidence) if self._visible is None else self._visible
            moved, confidence = step.at(visible.shape).carry(visible, backward=False)
            self._visible = moved * confidence
            key = float(self._visible.mean()) < 1 - MAX_NEW
        else:
            key = False
        if key:
            self._since, self._visible = 0, None
        return key

    def _color(self) -> list[Chroma]:
        """Predict the waiting key frames, and pass all waiting frames to the mean."""
        keys = [lightness for lightness, _, key in self._waiting if key]
        predicted = iter([weighted(each) for each in self._predict(keys)] if keys else ())
        finished: list[Chroma] = []
        for _, step, key in self._waiting:
            if key:
                self._last_key = next(predicted)
            finished += self._mean.push(self._last_key if key else self._last_key * 0, step)
        self._waiting, self._keys = [], 0
        return finished


@dataclass(frozen=True)
class _Correspondence:
    """Where a corrected frame shows what another frame shows.

    Attributes:
        flow: (h, w, 2) displacement, in pixels, from each pixel of the other frame to the corrected one.
        confidence: (h, w) 0..1.
    """

    flow: NDArray[np.floating]
    confidence: NDArray[np.floating]


class References:
    """The colors of corrected frames, carried both ways through their shot.

    Their weight shrinks only where the flow fails; between two corrected frames, the nearer one counts more. Colors
    are always sampled from the corrected frame itself, however far away, so that they do not blur on the way.

        references = References({40: ab}, lightness_of_the_first_41_frames)
        for lightness, ab in shot:
            tinted.append(references.tint(lightness, ab))

    Args:
        corrected: the chroma (2, h, w) of each corrected frame, by its number in the shot, from 0.
        shot: the lightness (1, h, w) of the shot's frames up to the last corrected one. Memory: 8 KB per frame while
            reading, then 48 KB per frame and corrected frame after it.

    Raises:
        ValueError: the shot ends before a corrected frame.
    """

    def __init__(self, corrected: Mapping[int, Plane], shot: Iterable[Plane]) -> None:
        pictures = [downscale(lightness) for lightness in shot]
        if not all(0 <= number < len(pictures) for number in corrected):
            raise ValueError(f"Corrected frames {sorted(corrected)} must lie within the {len(pictures)} given frames.")
        self._corrected = [
            _Reference(number, ab, _correspondences_before(pictures[: number + 1]))
            for number, ab in sorted(corrected.items())
        ]
        self._motion = MotionEstimator()
        self._number = 0

    def tint(self, lightness: Plane, ab: Plane) -> Plane:
        """Apply the reference colors to the next frame of the shot, starting with its first.

        Args:
            lightness: (1, h, w) L* in 0..100.
            ab: (2, h, w) the frame's own colors, kept where no reference shows the same thing.

        Returns:
            (2, h, w) float32.
        """
        step = self._motion.step(lightness)
        total, weights = np.zeros_like(ab), np.zeros(ab.shape[1:], np.float32)
        highest = np.zeros_like(weights)
        for reference in self._corrected:
            colors, confidence = reference.advance(step)
            weight = confidence / (abs(self._number - reference.number) + np.float32(1e-3))
            total += weight * colors
            weights += weight
            np.maximum(highest, confidence, out=highest)
        self._number += 1
        total /= np.maximum(weights, _EPSILON)
        return ab + highest * (total - ab)


class _Reference:
    """One corrected frame, and its correspondence with the current frame of the shot."""

    def __init__(self, number: int, ab: Plane, before: deque[_Correspondence]) -> None:
        self.number = number
        self._ab: Plane = np.ascontiguousarray(ab.transpose(1, 2, 0), np.float32)
        self._before = before
        self._current = before[-1]

    def advance(self, step: FlowStep | None) -> tuple[Plane, Plane]:
        """Move to the next frame; return the reference's colors there (2, h, w) and the confidence in them (h, w)."""
        if self._before:
            self._current = self._before.popleft()
        elif step is not None:
            self._current = _extended(self._current, step.backward, step.backward_confidence)
        colors = warp(self._ab, self._current.flow.astype(np.float32))
        return colors.transpose(2, 0, 1), resize(self._current.confidence.astype(np.float32), colors.shape[:2])


def _correspondences_before(pictures: Sequence[NDArray[np.uint8]]) -> deque[_Correspondence]:
    """Follow the flow back from the last picture: the correspondence of each picture with it, in order."""
    motion = MotionEstimator()
    height, width = pictures[-1].shape
    current = _Correspondence(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    found = deque([_compact(current)])
    for earlier, later in zip(pictures[-2::-1], pictures[:0:-1], strict=True):
        step = motion.between(earlier, later)
        current = _extended(current, step.forward, step.forward_confidence)
        found.appendleft(_compact(current))
    return found


def _extended(neighbor: _Correspondence, flow: Plane, confidence: Plane) -> _Correspondence:
    """Chain the flow from a frame to its neighbor with the neighbor's correspondence."""
    beyond = warp(np.dstack((neighbor.flow, neighbor.confidence)).astype(np.float32), flow)
    return _Correspondence(flow + beyond[..., :2], beyond[..., 2] * confidence)


def _compact(found: _Correspondence) -> _Correspondence:
    return _Correspondence(found.flow.astype(np.float16), found.confidence.astype(np.float16))
