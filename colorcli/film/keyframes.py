"""Fewer predictions, and colors that people set: both are carried along the flow to the frames in between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from colorcli.film.flow import Motion, Step, reduced, resized, taken
from colorcli.film.stabilizer import WINDOW, TwoWayMean, weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]
    Predict = Callable[[Sequence[Plane]], Sequence[Plane]]

_FURTHEST = 12  # frames from one key frame to the next, where nothing asks for one sooner
_LOST = 0.15  # of the picture
_NONE = np.float32(1e-9)  # so that nothing is divided by 0
_KEEP = 0.95  # what a color's weight falls to with every frame


class Keyframes:
    """Predicts the chroma of key frames only and carries it to the frames between, from both sides.

        film = Keyframes(predict)
        for lightness in shot:
            finished += film.push(lightness)
        finished += film.finish()

    A frame's colors are the mean of those of the key frames around it, by distance and by trust in the flow; so are
    the key frames' own, which steadies them as `Stabilizer` does. The first frame of a shot is a key frame.

    Args:
        predict: given the lightness of key frames, as it was pushed, returns their chroma, (2, h, w) each.
        every: a key frame in so many; None places them where 15 % of the picture was not to be seen in the one
            before, and every 12 frames at least.
        batch: how many key frames are predicted at once; up to that many times `every` frames wait for it.

    Raises:
        ValueError: every or batch is less than 1.
    """

    def __init__(self, predict: Predict, every: int | None = None, *, batch: int = 1) -> None:
        if (every is not None and every < 1) or batch < 1:
            raise ValueError(f"Key frames every {every} frames in batches of {batch}, where 1 or more was expected.")
        self._predict = predict
        self._every = every or _FURTHEST
        self._auto = every is None
        self._batch = batch
        self._mean = TwoWayMean(_KEEP, max(WINDOW, 2 * self._every))
        self._begin()

    def push(self, lightness: Plane) -> list[Plane]:
        """Take the next frame of the shot: (1, h, w) float32 L* in 0..100, every frame of the same size.

        Returns:
            The chroma (2, h, w) of the frames that are finished, in order: none, or several at a time.
        """
        step = self._motion.step(lightness)
        key = self._is_key(step)
        self._waiting.append((lightness, step, key))
        self._keys += key
        return self._color() if self._keys == self._batch else []

    def finish(self) -> list[Plane]:
        """End the shot: the chroma of its last frames. What is pushed next begins another, and takes nothing over."""
        finished = self._color() + self._mean.finish()
        self._begin()
        return finished

    def _begin(self) -> None:
        self._motion = Motion()
        self._waiting: list[tuple[Plane, Step | None, bool]] = []
        self._keys = 0
        self._since = 0
        self._shown: Plane | None = None

    def _is_key(self, step: Step | None) -> bool:
        """Tell whether the frame that a step leads to is a key frame."""
        self._since += 1
        if step is None or self._since >= self._every:
            key = True
        elif self._auto:
            shown = np.ones_like(step.seen_before) if self._shown is None else self._shown
            self._shown = step.forward(shown) * step.seen_before
            key = float(self._shown.mean()) < 1 - _LOST
        else:
            key = False
        if key:
            self._since, self._shown = 0, None
        return key

    def _color(self) -> list[Plane]:
        """Predict the key frames that wait, and hand all that wait on."""
        keys = [lightness for lightness, _, key in self._waiting if key]
        predicted = iter(self._predict(keys) if keys else ())
        finished: list[Plane] = []
        for lightness, step, key in self._waiting:
            own = weighed(next(predicted)) if key else np.zeros((*lightness.shape[-2:], 4), np.float32)
            finished += self._mean.push(own, step)
        self._waiting, self._keys = [], 0
        return finished


@dataclass(frozen=True)
class _Sight:
    """How a frame sees a reference: (h, w, 2) the way to what each pixel shows there, in pixels; (h, w) how surely."""

    way: NDArray[np.floating]
    surely: NDArray[np.floating]


class References:
    """The colors of frames that people have corrected, carried both ways through their shot.

    Their weight falls where the flow fails, and nowhere else; between two of them the nearer counts more. Colors are
    looked up in the corrected frame itself, however far it is, so that they do not blur on their way.

        references = References({40: ab}, lightness_of_the_first_41_frames)
        for lightness, ab in shot:
            tinted.append(references.tint(lightness, ab))

    Args:
        corrected: by the number of the frame in the shot, from 0, its chroma (2, h, w).
        shot: the lightness (1, h, w) of the shot's frames from the first to the last corrected one. While they are
            read a frame takes 8 KB of memory, and from then on 48 KB for each reference after it.

    Raises:
        ValueError: the shot ends before a corrected frame.
    """

    def __init__(self, corrected: Mapping[int, Plane], shot: Iterable[Plane]) -> None:
        pictures = [reduced(lightness) for lightness in shot]
        if not all(0 <= number < len(pictures) for number in corrected):
            raise ValueError(f"Frames {sorted(corrected)} are corrected, but {len(pictures)} frames were given.")
        self._corrected = [
            _Reference(number, ab, _sights_before(pictures[: number + 1])) for number, ab in sorted(corrected.items())
        ]
        self._motion = Motion()
        self._number = 0

    def tint(self, lightness: Plane, ab: Plane) -> Plane:
        """Give the next frame of the shot, from its first on, the colors of the references where it shows the same.

        Args:
            lightness: (1, h, w) L* in 0..100.
            ab: (2, h, w) the colors that it has where no reference tells.

        Returns:
            (2, h, w) float32.
        """
        step = self._motion.step(lightness)
        total, weights = np.zeros_like(ab), np.zeros(ab.shape[1:], np.float32)
        surest = np.zeros_like(weights)
        for reference in self._corrected:
            colors, surely = reference.seen(step)
            weight = surely / (abs(self._number - reference.number) + np.float32(1e-3))
            total += weight * colors
            weights += weight
            np.maximum(surest, surely, out=surest)
        self._number += 1
        total /= np.maximum(weights, _NONE)
        return ab + surest * (total - ab)


class _Reference:
    """One corrected frame, and how the frame that is next sees it."""

    def __init__(self, number: int, ab: Plane, sights: deque[_Sight]) -> None:
        self.number = number
        self._ab: Plane = np.ascontiguousarray(ab.transpose(1, 2, 0), np.float32)
        self._sights = sights
        self._sight = sights[-1]

    def seen(self, step: Step | None) -> tuple[Plane, Plane]:
        """Give the reference's colors (2, h, w) where the next frame shows them, and how surely it does (h, w)."""
        if self._sights:
            self._sight = self._sights.popleft()
        elif step is not None:
            self._sight = _beyond(self._sight, step.back, step.seen_before)
        colors = taken(self._ab, self._sight.way.astype(np.float32))
        return colors.transpose(2, 0, 1), resized(self._sight.surely.astype(np.float32), colors.shape[:2])


def _sights_before(pictures: Sequence[NDArray[np.uint8]]) -> deque[_Sight]:
    """Follow the flow back from the last of pictures: how each of them sees it, in their order."""
    motion = Motion()
    height, width = pictures[-1].shape
    sight = _Sight(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    sights = deque([_stored(sight)])
    for earlier, later in zip(pictures[-2::-1], pictures[:0:-1], strict=True):
        step = motion.between(earlier, later)
        sight = _beyond(sight, step.ahead, step.seen_after)
        sights.appendleft(_stored(sight))
    return sights


def _beyond(sight: _Sight, flow: Plane, trust: Plane) -> _Sight:
    """How a frame sees the reference, given how its neighbor does and the flow from the frame to that neighbor."""
    seen = taken(np.dstack((sight.way, sight.surely)).astype(np.float32), flow)
    return _Sight(flow + seen[..., :2], seen[..., 2] * trust)


def _stored(sight: _Sight) -> _Sight:
    return _Sight(sight.way.astype(np.float16), sight.surely.astype(np.float16))
