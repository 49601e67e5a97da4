"""Where one shot of a film ends and the next begins, found while the frames come by."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

DELAY = 4
"""Frames: what follows decides whether a sudden change is a cut, or a flash after which the shot goes on."""

_SIDE = 32  # pixels: what moves a little stays where it is
_CONTRAST = 0.5  # L*, of what is left of it at that size: pictures of less are plain
_UNLIKE = 0.15  # 0..2; a pan of a whole picture in five frames reaches 0.4, but not from one frame to the next
_OUTSTANDING = 3.0  # times the changes around it


class ShotDetector:
    """Finds the first frames of the shots of one film.

    A cut is a change that is large, that stands out from the changes around it (a fast pan does not), and after which
    nothing looks as shortly before (after a flash, or a few spoilt frames, it does). What counts is the likeness of
    the pictures' structure, as SSIM has it, on small blurred lightness: neither flickering nor a lamp that is switched
    on is a cut. After a fade through black, or any plain color, a shot begins as well; in a dissolve none does. Shots
    have five frames at least.

        shots = ShotDetector()
        for lightness in film:
            begins += shots.push(lightness)
        begins += shots.finish()
    """

    def __init__(self) -> None:
        self._recent: deque[Plane] = deque(maxlen=2 * DELAY + 2)
        self._changes: deque[float] = deque(maxlen=2 * DELAY + 2)
        self._waiting = 0
        self._plain = 0  # frames, up to the one decided last
        self._length = 0  # of the shot so far, in frames

    def push(self, lightness: Plane) -> list[bool]:
        """Take the next frame: (1, h, w) L* in 0..100, of any size.

        Returns:
            For each frame that is now decided, in order, whether a shot begins with it: at most one, 4 frames late.
        """
        structure = _structure(lightness)
        self._changes.append(_difference(self._recent[-1], structure) if self._recent else 2.0)
        self._recent.append(structure)
        self._waiting += 1
        return [self._begins()] if self._waiting > DELAY else []

    def finish(self) -> list[bool]:
        """End the film and decide its last frames."""
        decided = []
        while self._waiting:
            decided.append(self._begins())
        return decided

    def _begins(self) -> bool:
        """Decide the frame that has waited longest."""
        now = len(self._recent) - self._waiting
        self._waiting -= 1
        begins = self._length == 0 or (self._length > DELAY and self._is_cut(now))
        self._length = 1 if begins else self._length + 1
        self._plain = self._plain + 1 if _is_plain(self._recent[now]) else 0
        return begins

    def _is_cut(self, now: int) -> bool:
        frames, changes = list(self._recent), list(self._changes)
        if _is_plain(frames[now]):
            return False  # what comes after it tells
        if self._plain > DELAY:
            return True
        around = changes[max(1, now - 2) : now] + changes[now + 1 : now + 3]
        if changes[now] < max(_UNLIKE, _OUTSTANDING * float(np.mean(around)) if around else 0):
            return False
        before, after = frames[max(0, now - DELAY - 1) : now], frames[now : now + DELAY + 1]
        unlike = max(_UNLIKE, changes[now] / 2)
        return all(_difference(one, other) >= unlike for one in before for other in after)


def _structure(lightness: Plane) -> Plane:
    """Reduce lightness (1, h, w) to a small blurred picture around its mean."""
    height, width = lightness.shape[-2:]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.GaussianBlur(cv2.resize(lightness[0], size, interpolation=cv2.INTER_AREA), (0, 0), 1)
    structure: Plane = small - small.mean()
    return structure


def _is_plain(structure: Plane) -> bool:
    return float(np.square(structure).mean()) < _CONTRAST**2


def _difference(one: Plane, other: Plane) -> float:
    """Compare structures: 0 where they are equal, about 1 where they have nothing to do with each other, 2 at most.

    The contrast and structure terms of SSIM (Wang, Bovik, Sheikh and Simoncelli 2004, equation 13), over all of it.
    """
    common = 2 * float((one * other).mean()) + _CONTRAST**2
    return 1 - common / (float(np.square(one).mean() + np.square(other).mean()) + _CONTRAST**2)
