"""ICC profiles: from the numbers of a file to sRGB."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from PIL import ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray

RELATIVE_COLORIMETRIC = 1
BLACK_POINT_COMPENSATION = 0x2000
# lcms would replace a 16-bit transform by a coarse grid, which is off by 19 of 255 levels in the shadows.
NO_OPTIMIZE = 0x0100


@lru_cache(maxsize=1)
def srgb() -> bytes:
    """Return a small sRGB profile, the same in every run: the time of its making is replaced."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + profile[36:]  # ICC.1, 7.2.8


@lru_cache(maxsize=1)
def adobe_rgb() -> bytes:
    """Return a profile for cameras that say Adobe RGB in EXIF and embed none."""
    profile: bytes = imagecodecs.cms_profile("adobergb")
    return profile


def gray_to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Bring gray (H, W) pixels, uint8 or uint16, to the sRGB curve, with a gray or an RGB profile.

    A profile that does not fit or cannot be parsed is ignored: the picture matters more.
    """
    table = _gray_table(profile, pixels.dtype.str)
    return pixels if table is None else table[pixels]


def rgb_to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Bring RGB (H, W, 3) pixels, uint8 or uint16, to sRGB; a profile that does not fit is ignored."""
    if _space(profile) != "RGB" or _is_srgb(profile):
        return pixels
    try:
        return _transform(pixels, profile, "rgb")
    except imagecodecs.CmsError:
        return pixels


def cmyk_to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Convert CMYK (H, W, 4) pixels, uint8 or uint16, 0 = no ink, to sRGB (H, W, 3).

    Without a usable profile the inks are taken as ideal.
    """
    if _space(profile) == "CMYK":
        try:
            return _transform(pixels, profile, "cmyk")
        except imagecodecs.CmsError:
            pass
    full = np.iinfo(pixels.dtype).max
    light = full - pixels.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + full // 2) // full).astype(pixels.dtype)


_D50 = (0.9642, 1.0, 0.8249)
# From XYZ under D50 to linear sRGB, by the method of Bradford.
_XYZ_TO_RGB = np.array([
    [3.1338561, -1.6168667, -0.4906146],
    [-0.9787684, 1.9161415, 0.0334540],
    [0.0719453, -0.2289914, 1.4052427],
])  # fmt: skip


def lab_to_srgb(lightness: NDArray[Any], ab: NDArray[Any], dtype: type[np.uint8 | np.uint16]) -> NDArray[Any]:
    """Convert CIELab under D50, L* (H, W) in 0..100 and ab (H, W, 2), to sRGB (H, W, 3)."""
    y = (lightness + 16) / 116
    xyz = np.stack((y + ab[..., 0] / 500, y, y - ab[..., 1] / 200), axis=-1)
    xyz = np.where(xyz > 6 / 29, xyz**3, 3 * (6 / 29) ** 2 * (xyz - 4 / 29)) * _D50
    to_rgb = _XYZ_TO_RGB / (_XYZ_TO_RGB @ _D50)[:, None]  # so that white is white to the last digit
    linear = np.clip(xyz @ to_rgb.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * np.iinfo(dtype).max).round().astype(dtype)


@lru_cache(maxsize=8)
def _gray_table(profile: bytes, dtype: str) -> NDArray[Any] | None:
    """Return the sRGB code of every gray code, or None where codes stay as they are."""
    space = _space(profile)
    if space not in {"GRAY", "RGB"} or (space == "RGB" and _is_srgb(profile)):
        return None
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[None]
    try:
        if space == "GRAY":
            converted = _transform(codes, profile, "gray")
        else:
            converted = _transform(np.repeat(codes[..., None], 3, axis=2), profile, "rgb")
    except imagecodecs.CmsError:
        return None
    return np.ascontiguousarray(converted[0, :, 1])


def _transform(pixels: NDArray[Any], profile: bytes, space: str) -> NDArray[Any]:
    flags = BLACK_POINT_COMPENSATION | (NO_OPTIMIZE if pixels.dtype == np.uint16 else 0)
    converted: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        profile,
        srgb(),
        colorspace=space,
        outcolorspace="rgb",
        intent=RELATIVE_COLORIMETRIC,
        flags=flags,
    )
    return converted


def is_gray(profile: bytes) -> bool:
    """Return whether a profile is one for gray."""
    return _space(profile) == "GRAY"


def _space(profile: bytes) -> str:
    """Return the color space in the profile's header: "GRAY", "RGB", "CMYK" or another."""
    return profile[16:20].decode("latin-1").strip()


@lru_cache(maxsize=32)
def _is_srgb(profile: bytes) -> bool:
    """Return whether a profile leaves colors where they are, to half an 8-bit level, whatever its name is."""
    levels = np.linspace(0, 65535, 6).round().astype(np.uint16)
    ramp = np.repeat(np.linspace(0, 65535, 64).round().astype(np.uint16)[:, None], 3, axis=1)
    colors = np.concatenate((np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3), ramp))[None]
    try:
        converted = _transform(colors, profile, "rgb")
    except imagecodecs.CmsError:
        return True  # the profile cannot be used
    return int(np.abs(converted.astype(np.int64) - colors).max()) <= 128
