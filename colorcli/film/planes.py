"""Scaling and looking up the planes of films: by OpenCV on the CPU, where it is faster, and by torch elsewhere."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.inference.preprocess import bicubic, look_up

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CACHED_MATRICES = 16


def look_up_codes(table: Tensor, codes: Tensor, room: NDArray[np.float32] | None = None) -> Tensor:
    """Look up codes (H, W), uint8 or uint16, in a table (n,) float32; codes beyond its end are taken for the last.

    For codes of 8 bits on the CPU, `room`, of the same width and at least as high, takes the results: new memory takes
    longer to get.
    """
    if codes.device.type != "cpu":
        return look_up(table, codes.int().clamp_(max=len(table) - 1))
    if codes.dtype == torch.uint8:
        return _wrapped(cv2.LUT(codes.numpy(), table.numpy(), dst=None if room is None else room[: len(codes)]))
    return torch.from_numpy(table.numpy().take(codes.numpy(), mode="clip"))


def halved(luma: Tensor) -> Tensor:
    """Average blocks of 2 x 2 pixels of (H, W) codes; the last row or column of an odd size is repeated."""
    height, width = luma.shape
    if luma.device.type == "cpu":
        plane = luma.numpy()
        if height % 2 or width % 2:
            plane = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return _wrapped(cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA))
    whole = luma.int()
    if height % 2:
        whole = torch.cat((whole, whole[-1:]))
    if width % 2:
        whole = torch.cat((whole, whole[:, -1:]), dim=1)
    total = whole[::2, ::2] + whole[::2, 1::2] + whole[1::2, ::2] + whole[1::2, 1::2]
    return ((total + 2) >> 2).to(luma.dtype)


def averaged(codes: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale (H, W) codes to (height, width), each the mean of the area it covers, as OpenCV's INTER_AREA does."""
    if codes.device.type == "cpu":
        return _wrapped(cv2.resize(codes.numpy(), size[::-1], interpolation=cv2.INTER_AREA))
    shrinks = size[0] <= codes.shape[0] and size[1] <= codes.shape[1]
    down, across = (_areas(*sides, shrinks, codes.device) for sides in zip(codes.shape, size, strict=True))
    return (down @ codes.float() @ across.T).round().int()


def cubic(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale (C, h, w) float32 bicubically to (C, height, width), not antialiased."""
    if planes.device.type == "cpu":
        scaled = torch.empty((len(planes), *size))
        for plane, place in zip(planes.numpy(), scaled.numpy(), strict=True):
            cv2.resize(plane, size[::-1], dst=place, interpolation=cv2.INTER_CUBIC)
        return scaled
    down, across = (bicubic(*sides, planes.device) for sides in zip(planes.shape[1:], size, strict=True))
    return down.weights @ (planes @ across.weights.T)


def _wrapped(plane: Any) -> Tensor:
    return torch.from_numpy(plane)


@lru_cache(maxsize=_CACHED_MATRICES)
def _areas(before: int, after: int, shrinks: bool, device: torch.device) -> Tensor:
    """Compute scaling by areas as a matrix (after, before); where it does not shrink, OpenCV interpolates instead."""
    scale = 1 / (after / before)  # as OpenCV rounds it
    first = torch.arange(after, dtype=torch.float64)[:, None] * scale
    pixel = torch.arange(before, dtype=torch.float64)
    if shrinks:
        covered = torch.minimum(first + scale, pixel + 1) - torch.maximum(first, pixel)
        return (covered.clamp(min=0) / scale).float().to(device)
    left = first.floor().clamp(max=before - 1)
    share = torch.arange(1, after + 1, dtype=torch.float64)[:, None] - (left + 1) * (after / before)
    share = torch.where(share <= 0, 0.0, share - share.floor())
    right = (left + 1).clamp(max=before - 1)
    weights = (pixel == left) * (1 - share) + (pixel == right) * share
    return weights.float().to(device)


def resized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale (C, h, w) float32 bilinearly to (C, height, width), not antialiased."""
    if planes.shape[-2:] == size:
        return planes
    return functional.interpolate(planes[None], size, mode="bilinear")[0]
