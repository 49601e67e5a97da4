"""What encoders are told, and the shapes and depths that they need pixels in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from colorcli.media.pictures.metadata import Metadata


@dataclass(frozen=True)
class Order:
    """What an encoder is to write.

    Attributes:
        frames: color (H, W, 3), alpha (H, W) or None, and seconds, one after the other.
        count: how many frames there will be.
        kept: metadata of an upright picture; its XMP says where the colors came from.
        quality: 1 to 100, for formats that lose something.
        lossless: for formats that leave the choice.
    """

    frames: Iterator[tuple[NDArray[Any], NDArray[Any] | None, float]]
    count: int
    kept: Metadata
    quality: int
    lossless: bool


def eight_bits(pixels: NDArray[Any]) -> NDArray[Any]:
    """Round 16 bits to 8; 8 stay as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def with_alpha(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Put alpha behind the colors."""
    return np.ascontiguousarray(pixels) if alpha is None else np.dstack((pixels, alpha))


def on_white(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Lay 8-bit colors with alpha on white."""
    if alpha is None:
        return np.ascontiguousarray(pixels)
    cover = eight_bits(alpha)[..., None].astype(np.uint16)
    return ((pixels * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)


def to_pillow(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Image.Image:
    """Make an 8-bit Pillow image: L, RGB, LA or RGBA."""
    return Image.fromarray(with_alpha(eight_bits(pixels), None if alpha is None else eight_bits(alpha)))
