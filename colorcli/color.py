"""Colour science on tensors: the only place that knows sRGB, CIE Lab and YUV.

Every function works on any device, on batches, with the channels in dimension -3.

* sRGB: IEC 61966-2-1, R'G'B' in 0..1.
* Lab: CIE 1976 for the D65 white of the 2° observer, L* in 0..100, ab in about -128..127.
* YUV: ITU-R BT.601 and BT.709, Y in 0..1 and U, V in -0.5..0.5 (full range), or scaled to the limited range.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

# Linear sRGB to XYZ, and the white that it maps to (IEC 61966-2-1; the same digits as scikit-image).
_RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)
_DELTA = 6 / 29  # CIE 15: below delta the cube root turns into a line

AB_LIMIT = 128.0
Matrix = Literal["bt601", "bt709"]
Range = Literal["full", "limited"]
_LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}  # Kr, Kb


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer function: R'G'B' in 0..1 to linear light in 0..1, any shape."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer function: linear light in 0..1 to R'G'B' in 0..1, any shape."""
    return torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    )


def luminance_to_lightness(luminance: Tensor) -> Tensor:
    """Turn relative luminance Y in 0..1 into CIE lightness L* in 0..100, any shape."""
    return 116 * _cube_root(luminance) - 16


def grey_to_lightness(grey: Tensor) -> Tensor:
    """Turn sRGB-encoded grey in 0..1 into CIE lightness L* in 0..100, any shape."""
    return luminance_to_lightness(srgb_to_linear(grey))


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """Turn sRGB (..., 3, H, W) in 0..1 into CIE lightness L* (..., 1, H, W) in 0..100."""
    linear = srgb_to_linear(rgb)
    red, green, blue = _RGB_TO_XYZ[1]
    luminance = red * linear[..., 0:1, :, :] + green * linear[..., 1:2, :, :] + blue * linear[..., 2:3, :, :]
    return luminance_to_lightness(luminance)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Turn sRGB (..., 3, H, W) in 0..1 into CIE Lab (..., 3, H, W)."""
    to_xyz = torch.tensor(_RGB_TO_XYZ, dtype=rgb.dtype, device=rgb.device)
    white = torch.tensor(_WHITE, dtype=rgb.dtype, device=rgb.device)
    to_xyz = to_xyz / white[:, None]
    xyz = torch.einsum("ij,...jhw->...ihw", to_xyz, srgb_to_linear(rgb))
    x, y, z = _cube_root(xyz).unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def lab_to_linear(lightness: Tensor, ab: Tensor) -> Tensor:
    """Turn L* (..., 1, H, W) and ab (..., 2, H, W) into linear RGB (..., 3, H, W), outside 0..1 where out of gamut."""
    y = (lightness + 16) / 116
    a, b = ab[..., 0:1, :, :], ab[..., 1:2, :, :]
    x, y, z = (_cube(f).mul_(w) for f, w in zip((y + a / 500, y, y - b / 200), _WHITE, strict=True))
    rows = torch.linalg.inv(torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)).tolist()
    return torch.cat([r[0] * x + r[1] * y + r[2] * z for r in rows], dim=-3)


def lab_to_rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """Turn L* (..., 1, H, W) and ab (..., 2, H, W) into sRGB (..., 3, H, W) in 0..1 at the same lightness.

    Colours outside the sRGB gamut are brought into it by reducing their chroma at constant L and hue, never by
    clipping RGB, which would change the lightness.
    """
    linear = lab_to_linear(lightness, ab)
    outside = ((linear < -1e-4) | (linear > 1 + 1e-4)).any(dim=-3)  # (..., H, W)
    if outside.any():
        channels_last = linear.movedim(-3, -1)
        channels_last[outside] = _reduce_chroma(lightness.movedim(-3, -1)[outside], ab.movedim(-3, -1)[outside])
        linear = channels_last.movedim(-1, -3)
    return linear_to_srgb(linear.clamp_(0, 1))


def _reduce_chroma(lightness: Tensor, ab: Tensor) -> Tensor:
    """Find by bisection the most chroma in gamut: L (N, 1) and ab (N, 2) to linear RGB (N, 3)."""
    lightness, ab = lightness.clamp(0, 100).T[:, :, None], ab.T[:, :, None]  # (1, N, 1), (2, N, 1)
    low, high = torch.zeros_like(lightness), torch.ones_like(lightness)
    for _ in range(10):
        middle = (low + high) / 2
        linear = lab_to_linear(lightness, ab * middle)
        inside = ((linear >= 0) & (linear <= 1)).all(dim=-3, keepdim=True)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return lab_to_linear(lightness, ab * low)[:, :, 0].T


def rgb_to_yuv(rgb: Tensor, matrix: Matrix, range_: Range = "full") -> Tensor:
    """Turn R'G'B' (..., 3, H, W) in 0..1 into YUV (..., 3, H, W).

    Full range: Y in 0..1, U and V in -0.5..0.5. Limited range: Y in 16/255..235/255, U and V in ±112/255.
    """
    kr, kb = _LUMA[matrix]
    red, green, blue = rgb.unbind(-3)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))
    if range_ == "limited":
        y, u, v = (16 + 219 * y) / 255, u * (224 / 255), v * (224 / 255)
    return torch.stack((y, u, v), dim=-3)


def yuv_to_rgb(yuv: Tensor, matrix: Matrix, range_: Range = "full") -> Tensor:
    """Undo `rgb_to_yuv`: YUV (..., 3, H, W) to R'G'B' (..., 3, H, W), outside 0..1 where out of gamut."""
    kr, kb = _LUMA[matrix]
    y, u, v = yuv.unbind(-3)
    if range_ == "limited":
        y, u, v = (255 * y - 16) / 219, u * (255 / 224), v * (255 / 224)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack((red, green, blue), dim=-3)


def _cube_root(t: Tensor) -> Tensor:
    return torch.where(t > _DELTA**3, t.clamp_min(_DELTA**3) ** (1 / 3), t / (3 * _DELTA**2) + 4 / 29)


def _cube(f: Tensor) -> Tensor:
    return torch.where(f > _DELTA, f * f * f, (3 * _DELTA**2) * (f - 4 / 29))
