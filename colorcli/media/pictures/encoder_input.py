"""What encoders are asked to write, and the shapes and depths that they need pixels in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from colorcli.media.pictures.exif import Directory
    from colorcli.media.pictures.metadata import Metadata, Provenance


class PageDescription(NamedTuple):
    """What describes one page of a TIFF.

    Attributes:
        fields: fields by tag, such as its name and description.
        dpi: horizontal and vertical pixels per inch.
    """

    fields: Directory
    dpi: tuple[float, float] | None


class EncoderFrame(NamedTuple):
    """A frame to encode: color (H, W, 3), alpha (H, W) or None, seconds, and what describes a page."""

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None
    seconds: float
    page: PageDescription | None


@dataclass(frozen=True)
class EncodeRequest:
    """What an encoder is asked to write.

    Attributes:
        frames: one after the other.
        count: how many frames there will be.
        kept: metadata of an upright picture; its XMP says where the colors came from.
        provenance: where the colors came from.
        quality: 1 to 100, for lossy formats.
        lossless: use lossless coding, in formats that offer both.
        bits: per channel of the source.
        total_pixels: number of pixels in all frames.
        lost: what the encoder could not keep, in words; it adds to the list.
    """

    frames: Iterator[EncoderFrame]
    count: int
    kept: Metadata
    provenance: Provenance
    quality: int
    lossless: bool
    bits: int
    total_pixels: int
    lost: list[str] = field(default_factory=list)


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
