"""Shot detection while the frames of a film arrive."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

DELAY = 4
"""Frames that a decision waits for: they tell a cut from a flash after which the shot continues."""

_SIDE = 32  # pixels; small motion disappears at this size
_CONTRAST = 0.5  # L*, standard deviation at that size; a picture with less is plain
_MIN_DIFFERENCE = 0.15  # 0..2; a pan across a whole picture in five frames reaches 0.4, but never within one frame
_PROMINENCE = 3.0  # times the changes around it


class ShotDetector:
    """Finds the first frame of every shot of one film.

    A cut is a change that is large, that stands out from the changes around it (a fast pan does not), and after which
    no frame resembles those shortly before (after a flash, or a few damaged frames, they do). The structure term of
    SSIM on small blurred lightness is compared, so neither flicker nor a lamp switched on is a cut. A shot also begins
    after a fade through black or any plain color, but not in a dissolve. A shot has at least five frames.

        shots = ShotDetector()
        for lightness in film:
            begins += shots.push(lightness)
        begins += shots.finish()
    """

    def __init__(self) -> None:
        self._recent: deque[Plane] = deque(maxlen=2 * DELAY + 2)
        self._changes: deque[float] = deque(maxlen=2 * DELAY + 2)
        self._waiting = 0
        self._plain = 0  # consecutive plain frames up to the last decided one
        self._length = 0  # length of the current shot, in frames

    def push(self, lightness: Plane) -> list[bool]:
        """Add the next frame: (1, h, w) L* in 0..100, of any size.

        Returns:
            For each newly decided frame, in order, whether a shot begins with it: at most one frame, 4 frames late.
        """
        found = structure(lightness)
        self._changes.append(difference(self._recent[-1], found) if self._recent else 2.0)
        self._recent.append(found)
        self._waiting += 1
        return [self._begins()] if self._waiting > DELAY else []

    def finish(self) -> list[bool]:
        """End the film and decide its last frames."""
        decided = []
        while self._waiting:
            decided.append(self._begins())
        return decided

    def _begins(self) -> bool:
        """Decide the frame that has been waiting longest."""
        now = len(self._recent) - self._waiting
        self._waiting -= 1
        begins = self._length == 0 or (self._length > DELAY and self._is_cut(now))
        self._length = 1 if begins else self._length + 1
        self._plain = self._plain + 1 if _is_plain(self._recent[now]) else 0
        return begins

    def _is_cut(self, now: int) -> bool:
        frames, changes = list(self._recent), list(self._changes)
        if _is_plain(frames[now]):
            return False  # decided by the frames after it
        if self._plain > DELAY:
            return True
        around = changes[max(1, now - 2) : now] + changes[now + 1 : now + 3]
        if changes[now] < max(_MIN_DIFFERENCE, _PROMINENCE * float(np.mean(around)) if around else 0):
            return False
        before, after = frames[max(0, now - DELAY - 1) : now], frames[now : now + DELAY + 1]
        least = max(_MIN_DIFFERENCE, changes[now] / 2)
        return all(difference(one, other) >= least for one in before for other in after)


def structure(lightness: Plane) -> Plane:
    """Downscale lightness (1, h, w) to a small blurred picture with mean 0."""
    height, width = lightness.shape[-2:]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.GaussianBlur(cv2.resize(lightness[0], size, interpolation=cv2.INTER_AREA), (0, 0), 1)
    centered: Plane = small - small.mean()
    return centered


def _is_plain(structure: Plane) -> bool:
    return float(np.square(structure).mean()) < _CONTRAST**2


def difference(one: Plane, other: Plane) -> float:
    """Compare two structures: 0 if equal, about 1 if unrelated, at most 2.

    The contrast and structure terms of SSIM (Wang, Bovik, Sheikh and Simoncelli 2004, equation 13), globally.
    """
    common = 2 * float((one * other).mean()) + _CONTRAST**2
    return 1 - common / (float(np.square(one).mean() + np.square(other).mean()) + _CONTRAST**2)
