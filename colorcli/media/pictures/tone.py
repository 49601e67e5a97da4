"""Is a picture in color, in one tone such as sepia, or gray?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from colorcli.color import rgb_to_lab

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tone: TypeAlias = Literal["gray", "tinted", "color"]

_SIDE = 96  # pixels that the longer side is reduced to: grain and the noise of JPEGs are not colors
# Scanned gray prints have a mean chroma of up to 2.7.
GRAY_CHROMA = 3.0
"""Mean chroma below which a picture is gray."""
# How far colors lie from a curve over lightness: in sepia prints, also stained ones, up to 2.3 in the mean, and up to
# 13.7 in the farthest hundredth of them; in 200 photographs in color at least 2.8 and 10.
_TINT_MEAN, _TINT_FARTHEST = 2.5, 14.0
_TINT_CHROMA = 60.0  # stronger than any toning
_FLAT = 2.0  # deviation of lightness below which nothing shows whether colors follow from it


def tone_of(pixels: NDArray[Any]) -> Tone:
    """Decide whether a picture is gray, tinted (its colors follow from its lightness, as in sepia prints) or in color.

    A picture that is mostly gray is in color if a hundredth of it clearly is, such as a hand-colored detail.

    Args:
        pixels: gray (H, W) or color (H, W, 3), sRGB, uint8 or uint16.
    """
    if pixels.ndim == 2:
        return "gray"
    lightness, ab = _reduced(pixels)
    chroma = np.hypot(*ab.T)
    terms = np.stack([(lightness / 100) ** power for power in range(4)], axis=1)
    curve = terms @ np.linalg.lstsq(terms, ab, rcond=None)[0]
    distance = np.hypot(*(ab - curve).T)
    farthest = np.quantile(distance, 0.99)
    if farthest >= _TINT_FARTHEST or distance.mean() >= _TINT_MEAN or chroma.mean() > _TINT_CHROMA:
        return "color"
    if chroma.mean() < GRAY_CHROMA:
        return "gray"
    return "tinted" if lightness.std() > _FLAT else "color"


def is_in_color(pixels: NDArray[Any]) -> bool:
    """Return whether a picture, as for `tone_of`, has colors of its own: it is neither gray nor of one tone."""
    return tone_of(pixels) == "color"


def _reduced(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return L* (N,) and ab (N, 2) of a small version of a picture."""
    step = max(1, max(pixels.shape[:2]) // (8 * _SIDE))  # the mean of every few is close enough, and fast
    sampled = np.ascontiguousarray(pixels[::step, ::step]).astype(np.float32) / np.iinfo(pixels.dtype).max
    rgb = torch.from_numpy(sampled).permute(2, 0, 1)[None]
    scale = min(1.0, _SIDE / max(rgb.shape[-2:]))
    size = [max(1, round(side * scale)) for side in rgb.shape[-2:]]
    lab = rgb_to_lab(functional.interpolate(rgb, size, mode="area")).flatten(2)[0].numpy().astype(np.float64)
    return lab[0], lab[1:].T
