"""Color that a file states by numbers instead of an ICC profile: primaries, a white point and a curve.

The numbers of primaries and curves are those of ITU-T H.273: the chunk cICP of PNG, `nclx` of AVIF and HEIC.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import imagecodecs
import numpy as np

from colorcli.media.pictures import containers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Point: TypeAlias = "tuple[float, float]"  # chromaticity x, y
Points: TypeAlias = "tuple[Point, Point, Point, Point]"  # red, green, blue and white
Curve: TypeAlias = "Callable[[NDArray[Any]], NDArray[Any]]"  # from codes in 0..1 to light, of which white is 1

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
"""Red, green, blue and white of sRGB."""

# By number: red, green, blue, white
_PRIMARIES = {
    1: SRGB,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),  # NTSC of 1953
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),  # PAL
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),  # NTSC
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),  # film
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), _D65),  # BT.2020
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),  # cinemas
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),  # Display P3
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), _D65),
}
PQ, HLG = 16, 18
"""Curves of high dynamic range."""
_WHITE = 203.0  # cd/m2 of paper under both, by ITU-R BT.2408
_STEPS = 4096  # samples of a curve
_BMP_4, _BMP_5 = 108, 124  # sizes of the headers of BMP that state colors
_ROUNDING = 0.002  # rounding of chromaticities by programs that write sRGB's
_BOXES = 1 << 20  # bytes in which the boxes before the pixels are looked for


def of_code_points(primaries: int, transfer: int) -> bytes:
    """Return an ICC profile for two numbers of H.273; b"" for sRGB and for what they leave open.

    What is brighter than white, in a picture of high dynamic range, becomes white.
    """
    points, curve = _PRIMARIES.get(primaries, SRGB), _CURVES.get(transfer)
    return b"" if points == SRGB and curve is None else _profile(points, curve or _linear_from_srgb)


def of_chromaticities(points: Points, gamma: float | None) -> bytes:
    """Return an ICC profile for primaries and the exponent of a curve, None for the curve of sRGB.

    It is b"" where they are those of sRGB, to within rounding, and where no such color can exist.
    """
    if not _is_triangle(points) or np.abs(np.subtract(points, SRGB)).max() < _ROUNDING:
        points = SRGB
    if gamma is None or not 0.1 < gamma < 10:
        return b"" if points == SRGB else _profile(points, _linear_from_srgb)
    if points == SRGB and abs(1 / gamma - 1 / 2.2) < 0.03:
        return b""
    return _profile(points, lambda codes: codes**gamma)


def of_png(info: dict[Any, Any]) -> bytes:
    """Return an ICC profile for what the chunks cHRM and gAMA state, as Pillow gives them; b"" for sRGB."""
    if "srgb" in info or not {"chromaticity", "gamma"} & info.keys():
        return b""
    gamma = info.get("gamma")
    points = SRGB
    if len(stated := info.get("chromaticity", ())) == 8:
        white, red, green, blue = ((stated[at], stated[at + 1]) for at in range(0, 8, 2))
        points = (red, green, blue, white)
    return of_chromaticities(points, 1 / gamma if gamma else None)


def of_tiff(points: Any, white: Any) -> bytes:
    """Return an ICC profile for the fields PrimaryChromaticities and WhitePoint; b"" if one of them is missing."""
    try:
        numbers = [above / below for fractions in (points, white) for above, below in _pairs(fractions)]
        red, green, blue, middle = ((numbers[at], numbers[at + 1]) for at in range(0, 8, 2))
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return b""
    return of_chromaticities((red, green, blue, middle), None)


def of_bmp(data: bytes) -> bytes:
    """Return the ICC profile that a BMP embeds, or one for its primaries and gamma; b"" for sRGB or none."""
    size = int.from_bytes(data[14:18], "little")
    header = data[14 : 14 + size]
    if size < _BMP_4 or len(header) < _BMP_4:
        return b""
    space = header[56:60]
    if space == b"DEBM" and size >= _BMP_5:
        start, length = struct.unpack_from("<II", header, 112)
        return data[14 + start : 14 + start + length]
    if space != bytes(4):  # calibrated RGB
        return b""
    red, green, blue = struct.iter_unpack("<3i", header[60:96])
    white = tuple(map(sum, zip(red, green, blue, strict=True)))
    try:
        points = tuple((x / (x + y + z), y / (x + y + z)) for x, y, z in (red, green, blue, white))
    except ZeroDivisionError:
        return b""
    gamma = struct.unpack_from("<I", header, 96)[0] / 65536
    return of_chromaticities(cast("Points", points), gamma or None)


def _pairs(fractions: tuple[int, ...]) -> zip[tuple[int, int]]:
    return zip(fractions[::2], fractions[1::2], strict=True)


def png_code_points(data: bytes) -> tuple[int, int] | None:
    """Return the primaries and the curve that the cICP of a PNG states, which takes precedence over its profile."""
    for chunk in containers.png_chunks(data):
        if chunk.name == b"IDAT":
            break
        if chunk.name == b"cICP" and chunk.valid and len(chunk.body) == 4:
            return chunk.body[0], chunk.body[1]
    return None


def heif_code_points(data: bytes) -> tuple[int, int] | None:
    """Return the primaries and the curve that the first `nclx` of an AVIF or HEIC states."""
    at = data.find(b"colrnclx", 0, _BOXES)
    if at < 0 or len(data) < at + 12:
        return None
    primaries, transfer = struct.unpack_from(">HH", data, at + 8)
    return primaries, transfer


def _profile(points: Points, curve: Curve) -> bytes:
    red, green, blue, white = points
    levels = curve(np.linspace(0, 1, _STEPS))
    profile: bytes = imagecodecs.cms_profile(
        "rgb",
        primaries=[number for x, y in (red, green, blue) for number in (x, y, 1.0)],
        whitepoint=[*white, 1.0],
        transferfunction=(np.clip(levels, 0, 1) * 65535).round().astype(np.uint16),
    )
    return profile


def _linear_from_srgb(codes: NDArray[Any]) -> NDArray[Any]:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def _linear_from_pq(codes: NDArray[Any]) -> NDArray[Any]:
    """Invert SMPTE ST 2084; what is brighter than white is above 1."""
    power = codes ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    bright: NDArray[Any] = 10_000 / _WHITE * light ** (1 / 0.1593017578125)
    return bright


def _linear_from_hlg(codes: NDArray[Any]) -> NDArray[Any]:
    """Invert ARIB STD-B67 as a display of 1,000 cd/m2 does, channel by channel; brighter than white is above 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    bright: NDArray[Any] = 1_000 / _WHITE * scene**1.2
    return bright


# By number; the others are curves of cameras, which displays show as they do that of sRGB.
_CURVES: dict[int, Curve] = {
    4: lambda codes: codes**2.2,
    5: lambda codes: codes**2.8,
    8: lambda codes: codes,
    PQ: _linear_from_pq,
    HLG: _linear_from_hlg,
}


def _is_triangle(points: Points) -> bool:
    """Return whether primaries span a triangle with white inside."""
    values = np.array(points, dtype=np.float64)
    if not np.isfinite(values).all() or (values[:, 1] < 0.001).any() or (np.abs(values) > 2).any():
        return False
    corners = np.vstack((values[:3].T, np.ones(3)))
    if abs(np.linalg.det(corners)) < 1e-3:
        return False
    return bool((np.linalg.solve(corners, [*values[3], 1.0]) > 0).all())
