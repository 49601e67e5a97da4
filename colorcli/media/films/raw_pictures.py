"""The luma of pictures in a sequence, computed here because ffmpeg's conversion is off by some steps of 10 bits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorcli.media.films.film import Film

_WEIGHTS = np.array([[0.2126, 0.7152, 0.0722]], np.float32)  # weights of R', G' and B' in bt709
_LINEAR = "gbrpf32le"


def raw_format(pixel_format: str) -> str:
    """Return the pixel format in which pictures of a pixel format are read: nothing but transparency is lost."""
    if pixel_format.startswith(("gray", "ya", "yuv")):  # the luma of JPEG has full range like gray
        return "gray16le" if re.search(r"1\d[bl]e$", pixel_format) else "gray"
    if "f16" in pixel_format or "f32" in pixel_format:
        return _LINEAR
    planar = re.match(r"gbra?p(\d+)", pixel_format)
    if planar and int(planar[1]) < 16:
        return f"gbrp{planar[1]}le"
    return "rgb48le" if planar or "48" in pixel_format or "64" in pixel_format else "rgb24"


def luma_of(packet: Any, film: Film) -> NDArray[Any]:
    """Return the luma (H, W) of a raw picture, in full range: uint8, or uint16 with the bits of the film."""
    raw = raw_format(film.pixel_format)
    kind: Any = "<f4" if raw == _LINEAR else np.uint8 if raw in {"gray", "rgb24"} else "<u2"
    values = np.frombuffer(packet, kind)
    bits = re.search(r"gbrp(\d+)", raw)
    most = 1 if raw == _LINEAR else (1 << int(bits[1])) - 1 if bits else np.iinfo(kind).max
    if raw.startswith("gray"):
        luma = values.reshape(film.height, film.width).astype(np.float32)
    elif raw.startswith("gbrp"):
        green, blue, red = values.reshape(3, film.height, film.width).astype(np.float32)
        luma = _luma(np.dstack([red, green, blue]) if raw != _LINEAR else _nonlinear(np.dstack([red, green, blue])))
    else:
        luma = _luma(values.reshape(film.height, film.width, 3).astype(np.float32))
    codes = (1 << film.depth) - 1
    scaled: NDArray[Any] = np.rint(luma * (codes / most)).clip(0, codes)
    return scaled.astype(np.uint8 if film.depth == 8 else np.uint16)


def _luma(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    luma: NDArray[np.float32]
    luma = cv2.transform(rgb, _WEIGHTS)  # type: ignore[assignment,unused-ignore]
    return luma


def _nonlinear(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert linear light, as EXR holds it, to sRGB; what is brighter than white is white."""
    light = rgb.clip(0, 1)
    encoded: NDArray[np.float32] = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return encoded
