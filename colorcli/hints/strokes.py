"""Strokes that were painted on a transparent picture -> hints: discs that cover them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from colorcli.errors import UsageError
from colorcli.files import shown
from colorcli.hints.hint import Hint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_SIDE = 256  # cells, as many as the grid that hints spread on has
_COVERED = 0.5  # share of a cell from which it is part of a stroke
_TOUCHED = 0.03  # share from which it is, if no cell beside it is: a thin line
_COLORS = 32
_SPACING = 1.5  # cells around a disc that need none of their own
_MAX_HINTS = 1000


def read_strokes(path: Path) -> tuple[list[Hint], tuple[int, int]]:
    """Read a picture that is transparent except for strokes, each in the color of the place below it.

    Args:
        path: a PNG, or a picture of another format with transparency.

    Returns:
        Discs that cover the strokes, and the width and height of the picture.

    Raises:
        UnreadableMedia: the file is not a picture.
        UsageError: no part of it is transparent, or there are too many strokes.
    """
    from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS, open_picture

    picture = open_picture(path, max_pixels=DEFAULT_MAX_PIXELS)
    frame = next(picture.frames())
    if frame.alpha is None:
        raise UsageError(
            f"{shown(path)} has no transparent background.",
            "Paint hints on a transparent layer of the picture's size, and save that layer alone as PNG.",
        )
    top = np.iinfo(frame.pixels.dtype).max
    coverage, colors = _cells(frame.pixels, frame.alpha, top)
    hints = []
    for hint in _discs(coverage, colors):
        hints.append(hint)
        if len(hints) > _MAX_HINTS:
            raise UsageError(
                f"{shown(path)} has too many strokes: covering them takes more than {_MAX_HINTS} discs.",
                "A few strokes of one color each are enough; the colors spread.",
            )
    return hints, picture.size


def _cells(pixels: NDArray[Any], alpha: NDArray[Any], top: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Scale a picture down to cells: the share of each that is painted (h, w), and its color (h, w, 3)."""
    height, width = alpha.shape
    scale = min(1.0, _MAX_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    opacity = (alpha / top).astype(np.float32)
    coverage = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
    planes = np.broadcast_to(pixels if pixels.ndim == 3 else pixels[..., None], (height, width, 3))
    painted = [cv2.resize(plane * opacity, size, interpolation=cv2.INTER_AREA) for plane in np.moveaxis(planes, 2, 0)]
    colors = np.stack(painted, axis=-1) * (255 / top) / np.maximum(coverage, 1e-6)[..., None]
    return coverage, np.clip(colors + 0.5, 0, 255).astype(np.uint8)


def _discs(coverage: NDArray[Any], colors: NDArray[np.uint8]) -> Iterator[Hint]:
    """Cover what is painted with discs of one color each, the largest first."""
    from PIL import Image

    covered = coverage >= _COVERED
    beside = cv2.dilate(covered.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    painted = covered | ((coverage >= _TOUCHED) & ~beside)
    if not painted.any():
        return
    reduced = Image.fromarray(colors[painted][None]).quantize(_COLORS)
    labels = np.full(coverage.shape, -1)
    labels[painted] = np.asarray(reduced)[0]
    height, width = coverage.shape
    rows, columns = np.arange(height)[:, None], np.arange(width)
    for label in np.unique(labels[painted]):
        stroke = labels == label
        red, green, blue = np.median(colors[stroke], axis=0).round().astype(int).tolist()
        room = cv2.distanceTransform(np.pad(stroke.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        left = np.where(stroke, room, 0)
        while left.any():
            row, column = divmod(int(left.argmax()), width)
            radius = float(room[row, column]) - 0.5
            yield Hint((column + 0.5) / width, (row + 0.5) / height, (red, green, blue), radius / max(height, width))
            left[np.hypot(rows - row, columns - column) <= radius + _SPACING] = 0
