"""Pillow images and arrays as frames, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures import decode, encoder_input, exif
from colorcli.media.pictures.files import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray


def from_image(image: Image.Image | NDArray[Any]) -> Frame:
    """Make a frame of a Pillow image (its orientation and profile are applied) or of an array.

    Args:
        image: a Pillow image, or uint8 or uint16 of shape (H, W), (H, W, 2), (H, W, 3) or (H, W, 4).

    Raises:
        UnreadableMedia: the array has another shape or type.
    """
    if isinstance(image, Image.Image):
        pixels, alpha = decode.decode_image(image)
        number = _orientation(image)
        return Frame(decode.upright(pixels, number), None if alpha is None else decode.upright(alpha, number))
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in {2, 3}:
        raise UnreadableMedia(
            f"An array must be uint8 or uint16 of shape (H, W), (H, W, 3) or (H, W, 4), got {image.dtype} of "
            f"shape {image.shape}.",
        )
    try:
        return Frame(*decode.split_alpha(image, b""))
    except ValueError as error:
        raise UnreadableMedia(f"An array of shape {image.shape} is not a picture: {error}.") from error


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(exif.ORIENTATION, 1)
    except decode.DECODER_ERRORS:
        return 1
    return number if number in range(1, 9) else 1


def to_image(frame: Frame) -> Image.Image:
    """Make an 8-bit Pillow image, L, LA, RGB or RGBA, of a frame; Pillow has no 16-bit color."""
    return encoder_input.to_pillow(frame.pixels, frame.alpha)
