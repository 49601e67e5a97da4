"""Optical flow between consecutive frames, its confidence, and warping along it.

Flow is estimated on lightness alone by dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016), in both
directions, always on the CPU. Chroma is warped along it where it is: on the CPU by OpenCV, elsewhere by torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
    _Vectors = tuple[Plane, Plane]
    """The x and the y of vectors, (h, w) each."""
    _Places = tuple[Plane, Plane]
    """The x and the y of places in a picture, (h, w) each."""

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

    def at(self, size: tuple[int, int]) -> ScaledFlowStep:
        """Prepare the step for planes of a height and width."""
        return ScaledFlowStep(self, size)

    def to(self, device: torch.device) -> DeviceFlowStep:
        """Copy the step to a device, for chroma on that device."""
        flows = np.concatenate((self.forward, self.backward), axis=2).transpose(2, 0, 1)
        planes = np.concatenate((flows, self.forward_confidence[None], self.backward_confidence[None]))
        return DeviceFlowStep(upload(torch.from_numpy(planes), device))


@dataclass(frozen=True)
class ScaledFlowStep:
    """A `FlowStep` for planes of one size on the CPU. Going backward, which is repeated, is prepared once.

    Attributes:
        step: the step.
        size: height and width of the planes.
    """

    step: FlowStep
    size: tuple[int, int]

    def carry(self, planes: Plane, *, backward: bool) -> tuple[Plane, Plane]:
        """Warp planes (H, W) or (H, W, C) of the earlier frame to the later one, or backward.

        Returns:
            The warped planes, and (H, W) the confidence in them.
        """
        places, confidence = self._backward if backward else self._prepared(self.step.backward, backward=False)
        return _sampled(planes, places), confidence

    @cached_property
    def _backward(self) -> tuple[_Places, Plane]:
        return self._prepared(self.step.forward, backward=True)

    def _prepared(self, flow: Plane, *, backward: bool) -> tuple[_Places, Plane]:
        confidence = self.step.forward_confidence if backward else self.step.backward_confidence
        return _places(*_split(flow), self.size), resize(confidence, self.size)


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
        onward, back = _split(forward), _split(backward)
        return FlowStep(
            backward, forward, _confidence(later, earlier, back, onward), _confidence(earlier, later, onward, back)
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


def _confidence(here: NDArray[np.uint8], there: NDArray[np.uint8], flow: _Vectors, back: _Vectors) -> Plane:
    """Rate how likely each pixel is to show what its flow points to: (h, w), 0.1..1.

    Args:
        here: the picture that the flow starts from.
        there: the picture that it points to.
        flow: the displacements from each pixel here.
        back: those from each pixel there to here.
    """
    places = _places(*flow, (here.shape[0], here.shape[1]))
    agreement = _agreement(flow, (_sampled(back[0], places), _sampled(back[1], places)))
    x, y = places
    height, width = here.shape
    agreement[(x < -_MARGIN) | (x > width - 1 + _MARGIN) | (y < -_MARGIN) | (y > height - 1 + _MARGIN)] = 0
    similarity = _similarity(here, _sampled(there.astype(np.float32), places))
    confidence: Plane = np.maximum(agreement * similarity, _MIN_CONFIDENCE)
    return confidence


def _agreement(there: _Vectors, back: _Vectors) -> Plane:
    """Rate how closely following the flow there and back returns to the start: (h, w), 1 for exactly, toward 0 if not.

    The tolerance is that of Sundaram, Brox and Keutzer (2010, section 3). Beyond it, confidence fades instead of
    dropping to 0, which flickers less for pixels near the limit.
    """
    tolerance = _RELATIVE * (_squares(*there) + _squares(*back)) + _ABSOLUTE
    confidence = 2 * tolerance / (tolerance + _squares(there[0] + back[0], there[1] + back[1]))
    return np.minimum(confidence, 1)


def _similarity(here: NDArray[np.uint8], there: Plane) -> Plane:
    """Rate how similar pixels are: (h, w), 1 for equal, toward 0 for different.

    Moving objects have soft edges in the flow and sharp ones in the picture; without this, their colors would bleed
    into the surroundings. A change in the brightness of the whole picture is ignored.
    """
    difference = there - here
    middle = difference.size // 2
    difference -= np.partition(difference, middle, axis=None)[middle]  # the median, in a fifth of the time
    similarity: Plane = 1 / np.maximum(1, np.square(difference / _SIMILAR))
    return similarity


def _squares(x: Plane, y: Plane) -> Plane:
    return x * x + y * y


def _split(vectors: Plane) -> _Vectors:
    """Split vectors (h, w, 2) into x and y, which numpy processes several times as fast."""
    x, y = np.ascontiguousarray(vectors.transpose(2, 0, 1))
    return x, y


def warp(planes: Plane, flow: Plane) -> Plane:
    """Sample planes where the flow of each pixel points; outside the picture, the nearest border pixel.

    Args:
        planes: (H, W) or (H, W, C).
        flow: (h, w, 2) displacements x and y, in pixels of a picture downscaled to h x w.

    Returns:
        The same shape as `planes`.
    """
    return _sampled(planes, _places(*_split(flow), (planes.shape[0], planes.shape[1])))


def _sampled(planes: Plane, places: _Places) -> Plane:
    found: Plane = cv2.remap(planes, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    return found


def _places(x: Plane, y: Plane, size: tuple[int, int]) -> _Places:
    """Return where displacements, scaled to a height and width, point: x and y, in pixels of that size."""
    height, width = size
    columns: Plane = np.arange(width, dtype=np.float32)
    rows: Plane = np.arange(height, dtype=np.float32)[:, None]
    if x.shape == size:
        return x + columns, y + rows
    across, down = np.float32(width / x.shape[1]), np.float32(height / x.shape[0])
    return resize(x, size) * across + columns, resize(y, size) * down + rows


def resize(planes: Plane, size: tuple[int, int]) -> Plane:
    """Resize planes (H, W) or (H, W, C) to (height, width), bilinearly."""
    scaled: Plane = cv2.resize(planes, size[::-1])  # type: ignore[assignment]
    return scaled
