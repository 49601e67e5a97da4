"""Optical flow between consecutive frames, its confidence, and warping along it.

Flow is estimated on lightness alone by dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016), in both
directions, always on the CPU. Chroma is warped along it where it is: on the CPU by OpenCV, elsewhere by torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional

from colorcli.film.planes import resized
from colorcli.inference.transfer import upload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Plane = NDArray[np.float32]

_PIXELS = 8_000  # number of pixels in which motion is searched; larger pictures cost more and lose fast motion
_MIN_SIDE = 16  # dense inverse search needs this much for its patches
_RELATIVE, _ABSOLUTE = 0.01, 0.5  # in squared pixels
_MARGIN = 0.5  # pixels: the flow of still pixels at the border sometimes points slightly out of the picture
_SIMILAR = np.float32(5 * 2.55)  # 8-bit steps: 5 L*
_MIN_CONFIDENCE = np.float32(0.1)  # pixels that the flow loses keep the best color available and do not flicker


@dataclass(frozen=True)
class FlowStep:
    """The motion between two consecutive frames, at the size at which it was estimated.

    Attributes:
        backward: (h, w, 2) displacement, in pixels, from each pixel of the later frame to the earlier frame.
        forward: (h, w, 2) displacement, in pixels, from each pixel of the earlier frame to the later frame.
        backward_confidence: (h, w) confidence, 0..1, that the earlier frame shows what a pixel of the later one shows.
        forward_confidence: (h, w) confidence, 0..1, that the later frame shows what a pixel of the earlier one shows.
    """

    backward: Plane
    forward: Plane
    backward_confidence: Plane
    forward_confidence: Plane

    def carry_forward(self, planes: Plane) -> Plane:
        """Warp planes (H, W) or (H, W, C) of the earlier frame to the later one."""
        return warp(planes, self.backward)

    def carry_backward(self, planes: Plane) -> Plane:
        """Warp planes (H, W) or (H, W, C) of the later frame to the earlier one."""
        return warp(planes, self.forward)

    def to(self, device: torch.device) -> DeviceFlowStep:
        """Copy the step to a device, for chroma on that device."""
        flows = np.concatenate((self.forward, self.backward), axis=2).transpose(2, 0, 1)
        planes = np.concatenate((flows, self.forward_confidence[None], self.backward_confidence[None]))
        return DeviceFlowStep(upload(torch.from_numpy(planes), device))


@dataclass(frozen=True)
class DeviceFlowStep:
    """A `FlowStep` on a device.

    Attributes:
        planes: (6, h, w): forward and backward displacements x and y, forward and backward confidence.
    """

    planes: Tensor

    def carry(self, planes: Tensor, *, backward: bool) -> tuple[Tensor, Tensor]:
        """Warp planes (C, H, W) to the next frame, or to the previous one.

        Returns:
            The warped planes, and (1, H, W) the confidence in them.
        """
        height, width = planes.shape[-2:]
        flow, confidence = (self.planes[:2], self.planes[4:5]) if backward else (self.planes[2:4], self.planes[5:6])
        x, y = resized(flow, (height, width))
        x = x * (width / flow.shape[-1]) + torch.arange(width, dtype=x.dtype, device=x.device)
        y = y * (height / flow.shape[-2]) + torch.arange(height, dtype=y.dtype, device=y.device)[:, None]
        places = torch.stack((x * (2 / max(1, width - 1)) - 1, y * (2 / max(1, height - 1)) - 1), dim=-1)
        found = functional.grid_sample(planes[None], places[None], padding_mode="border", align_corners=True)
        return found[0], resized(confidence, (height, width))


class MotionEstimator:
    """Estimates the motion between frames that arrive one by one."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: NDArray[np.uint8] | None = None

    def step(self, lightness: Plane) -> FlowStep | None:
        """Estimate the motion from the previous frame to this one.

        Args:
            lightness: (1, h, w) L* in 0..100, every frame of the same size.

        Returns:
            The step, or None for the first frame.
        """
        earlier, self._last = self._last, downscale(lightness)
        return None if earlier is None else self.between(earlier, self._last)

    def between(self, earlier: NDArray[np.uint8], later: NDArray[np.uint8]) -> FlowStep:
        """Estimate the motion between two pictures made by `downscale`."""
        forward, backward = self._flow(earlier, later), self._flow(later, earlier)
        backward_confidence = _agreement(backward, forward) * _similarity(later, earlier, backward)
        forward_confidence = _agreement(forward, backward) * _similarity(earlier, later, forward)
        return FlowStep(
            backward,
            forward,
            np.maximum(backward_confidence, _MIN_CONFIDENCE),
            np.maximum(forward_confidence, _MIN_CONFIDENCE),
        )

    def _flow(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Plane:
        flow: Plane = self._search.calc(here, there, None)  # type: ignore[call-overload]  # the stubs reject None
        return flow


def downscale(lightness: Plane) -> NDArray[np.uint8]:
    """Convert lightness (1, h, w) to the picture that is searched: 8 bits, at most 8,000 pixels."""
    height, width = lightness.shape[-2:]
    scale = min(1.0, (_PIXELS / (height * width)) ** 0.5)
    size = max(_MIN_SIDE, round(width * scale)), max(_MIN_SIDE, round(height * scale))
    small = cv2.resize(lightness[0], size, interpolation=cv2.INTER_AREA)
    picture: NDArray[np.uint8] = np.rint(small * np.float32(2.55)).clip(0, 255).astype(np.uint8)
    return picture


def _agreement(there: Plane, back: Plane) -> Plane:
    """Rate how closely following the flow there and back returns to the start: (h, w), 1 for exactly, toward 0 if not.

    The tolerance is that of Sundaram, Brox and Keutzer (2010, section 3). Beyond it, confidence fades instead of
    dropping to 0, which flickers less for pixels near the limit. Flow out of the picture has confidence 0.
    """
    height, width = there.shape[:2]
    returned = warp(back, there)
    tolerance = _RELATIVE * (_squares(there) + _squares(returned)) + _ABSOLUTE
    confidence = 2 * tolerance / (tolerance + _squares(there + returned))
    x, y = cv2.split(_grid(height, width) + there)
    confidence[(x < -_MARGIN) | (x > width - 1 + _MARGIN) | (y < -_MARGIN) | (y > height - 1 + _MARGIN)] = 0
    return np.minimum(confidence, 1)


def _similarity(here: NDArray[np.uint8], there: NDArray[np.uint8], flow: Plane) -> Plane:
    """Rate how similar each pixel is to the one its flow points to: (h, w), 1 for equal, toward 0 for different.

    Moving objects have soft edges in the flow and sharp ones in the picture; without this, their colors would bleed
    into the surroundings. A change in the brightness of the whole picture is ignored.
    """
    difference = warp(there.astype(np.float32), flow) - here
    difference -= np.median(difference)
    similarity: Plane = 1 / np.maximum(1, np.square(difference / _SIMILAR))
    return similarity


def _squares(vectors: Plane) -> Plane:
    squares: Plane = np.einsum("yxc,yxc->yx", vectors, vectors)
    return squares


def warp(planes: Plane, flow: Plane) -> Plane:
    """Sample planes where the flow of each pixel points; outside the picture, the nearest border pixel.

    Args:
        planes: (H, W) or (H, W, C).
        flow: (h, w, 2) displacements x and y, in pixels of a picture downscaled to h x w.

    Returns:
        The same shape as `planes`.
    """
    height, width = planes.shape[:2]
    if flow.shape[:2] != (height, width):
        scale = np.array((width / flow.shape[1], height / flow.shape[0]), np.float32)
        flow = resize(flow * scale, (height, width))
    places = _grid(height, width) + flow
    found: Plane = cv2.remap(planes, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return found


def resize(planes: Plane, size: tuple[int, int]) -> Plane:
    """Resize planes (H, W) or (H, W, C) to (height, width), bilinearly."""
    scaled: Plane = cv2.resize(planes, size[::-1])  # type: ignore[assignment]
    return scaled


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> Plane:
    """Return the coordinates of every pixel: (height, width, 2) x and y."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
