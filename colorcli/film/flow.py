"""Where pictures move from one frame to the next, how far that can be trusted, and carrying planes along.

Flow is estimated on the lightness alone, by dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016), both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

_PIXELS = 8_000  # of the pictures that are searched; more cost more, and what moves far is lost
_LEAST_SIDE = 16  # what dense inverse search needs for its patches
_RELATIVE, _ABSOLUTE = 0.01, 0.5  # of squared pixels
_BEYOND = 0.5  # pixels: the flow of what stays at the edge points out of the picture now and then
_LIKE = np.float32(5 * 2.55)  # 8-bit steps: 5 L*
_LEAST_TRUST = np.float32(0.1)  # what the flow has lost keeps the least bad color, and does not flicker


@dataclass(frozen=True)
class Step:
    """The motion between two consecutive frames, at the size at which it was estimated.

    Attributes:
        back: (h, w, 2) where each pixel of the later frame was in the earlier one: the way there, in pixels.
        ahead: (h, w, 2) where each pixel of the earlier frame will be in the later one.
        seen_before: (h, w) how sure it is that the earlier frame shows what each pixel of the later one does, 0..1.
        seen_after: (h, w) how sure it is that the later frame shows what each pixel of the earlier one does.
    """

    back: Plane
    ahead: Plane
    seen_before: Plane
    seen_after: Plane

    def forward(self, planes: Plane) -> Plane:
        """Carry planes (H, W) or (H, W, C) of the earlier frame to the later one."""
        return taken(planes, self.back)

    def backward(self, planes: Plane) -> Plane:
        """Carry planes (H, W) or (H, W, C) of the later frame to the earlier one."""
        return taken(planes, self.ahead)


class Motion:
    """Estimates the steps between frames that come one by one."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: NDArray[np.uint8] | None = None

    def step(self, lightness: Plane) -> Step | None:
        """Estimate the motion from the frame before to this one.

        Args:
            lightness: (1, h, w) L* in 0..100, every frame of the same size.

        Returns:
            The step, or None for the first frame.
        """
        earlier, self._last = self._last, reduced(lightness)
        return None if earlier is None else self.between(earlier, self._last)

    def between(self, earlier: NDArray[np.uint8], later: NDArray[np.uint8]) -> Step:
        """Estimate the motion between two pictures of `reduced`."""
        ahead, back = self._flow(earlier, later), self._flow(later, earlier)
        seen_before = _agreement(back, ahead) * _likeness(later, earlier, back)
        seen_after = _agreement(ahead, back) * _likeness(earlier, later, ahead)
        return Step(back, ahead, np.maximum(seen_before, _LEAST_TRUST), np.maximum(seen_after, _LEAST_TRUST))

    def _flow(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Plane:
        flow: Plane = self._search.calc(here, there, None)  # type: ignore[call-overload]  # the stubs know no None
        return flow


def reduced(lightness: Plane) -> NDArray[np.uint8]:
    """Turn lightness (1, h, w) into the picture that the search takes: 8 bits, of 8,000 pixels at most."""
    height, width = lightness.shape[-2:]
    scale = min(1.0, (_PIXELS / (height * width)) ** 0.5)
    size = max(_LEAST_SIDE, round(width * scale)), max(_LEAST_SIDE, round(height * scale))
    small = cv2.resize(lightness[0], size, interpolation=cv2.INTER_AREA)
    picture: NDArray[np.uint8] = np.rint(small * np.float32(2.55)).clip(0, 255).astype(np.uint8)
    return picture


def _agreement(there: Plane, back: Plane) -> Plane:
    """Tell how far going there and back ends where it began: (h, w), 1 where it does, 0 where it is far off.

    The tolerance is that of Sundaram, Brox and Keutzer (2010, section 3); beyond it trust fades rather than ends,
    which flickers less where a pixel is now within and now beyond it. Out of the picture there is none.
    """
    height, width = there.shape[:2]
    returned = taken(back, there)
    tolerance = _RELATIVE * (_squares(there) + _squares(returned)) + _ABSOLUTE
    trust = 2 * tolerance / (tolerance + _squares(there + returned))
    x, y = cv2.split(_grid(height, width) + there)
    trust[(x < -_BEYOND) | (x > width - 1 + _BEYOND) | (y < -_BEYOND) | (y > height - 1 + _BEYOND)] = 0
    return np.minimum(trust, 1)


def _likeness(here: NDArray[np.uint8], there: NDArray[np.uint8], flow: Plane) -> Plane:
    """Tell how far there is at the end of each way what is here: (h, w), 1 where it is, toward 0 where it is not.

    A thing that moves has soft edges in the flow and sharp ones in the picture: without this its colors would spread
    around it. That all of a picture is a little lighter than the one before makes no difference.
    """
    difference = taken(there.astype(np.float32), flow) - here
    difference -= np.median(difference)
    likeness: Plane = 1 / np.maximum(1, np.square(difference / _LIKE))
    return likeness


def _squares(vectors: Plane) -> Plane:
    squares: Plane = np.einsum("yxc,yxc->yx", vectors, vectors)
    return squares


def taken(planes: Plane, flow: Plane) -> Plane:
    """Give every pixel what is at the end of its way; beyond the picture, what is at its edge.

    Args:
        planes: (H, W) or (H, W, C).
        flow: (h, w, 2) the ways x and y of a picture reduced to h x w pixels, in those.

    Returns:
        The same shape as `planes`.
    """
    height, width = planes.shape[:2]
    if flow.shape[:2] != (height, width):
        scale = np.array((width / flow.shape[1], height / flow.shape[0]), np.float32)
        flow = resized(flow * scale, (height, width))
    places = _grid(height, width) + flow
    found: Plane = cv2.remap(planes, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return found


def resized(planes: Plane, size: tuple[int, int]) -> Plane:
    """Scale planes (H, W) or (H, W, C) to a height and width, bilinearly."""
    scaled: Plane = cv2.resize(planes, size[::-1])  # type: ignore[assignment]
    return scaled


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> Plane:
    """Give every pixel its own place: (height, width, 2) x and y."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
