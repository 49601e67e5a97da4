"""Input and output of a generator, in -1..1, in the two color spaces of the Edinburgh paper."""

from typing import Literal

import torch
from torch import Tensor

from colorcli.color import (
    LUMINANCE_WEIGHTS,
    lab_to_linear,
    linear_to_srgb,
    rgb_to_lab,
    rgb_to_yuv,
    srgb_to_linear,
    yuv_to_rgb,
)

Space = Literal["lab", "yuv"]
AB_REACH = 110.0  # -1..1 stands for ab in -110..110
UV_REACH = 0.5  # and for all of U and V
_MATRIX: Literal["bt601"] = "bt601"
_NEWTON_STEPS = 4  # converges to float32 precision, even outside sRGB
_AHEAD = 1e-3  # step of the finite difference


def encode_gray(lightness: Tensor, space: Space) -> Tensor:
    """Convert L* (B, 1, H, W) in 0..100 to the input of a generator: L* / 50 - 1, or 2 Y' - 1 of the gray picture."""
    return lightness / 50 - 1 if space == "lab" else 2 * _luma_of_gray(lightness) - 1


def encode_color(rgb: Tensor, ab: Tensor, space: Space) -> Tensor:
    """Convert true colors, R'G'B' (B, 3, H, W) and ab (B, 2, H, W), to a generator's target: ab / 110, or 2 UV."""
    return ab / AB_REACH if space == "lab" else rgb_to_yuv(rgb, _MATRIX)[:, 1:] / UV_REACH


def paint(lightness: Tensor, ab: Tensor) -> Tensor:
    """Combine the U and V of colors with the Y' of the gray picture, as the Edinburgh paper does in YUV.

    Args:
        lightness: (B, 1, H, W) L* in 0..100, of the gray picture.
        ab: (B, 2, H, W), of `decode_color`.

    Returns:
        (B, 3, H, W) R'G'B' in 0..1, clipped.
    """
    color = rgb_to_yuv(linear_to_srgb(lab_to_linear(lightness, ab)), _MATRIX)[:, 1:]
    return yuv_to_rgb(torch.cat([_luma_of_gray(lightness), color], dim=1), _MATRIX).clamp(0, 1)


def decode_color(lightness: Tensor, color: Tensor, space: Space) -> Tensor:
    """Convert the output of a generator (B, 2, H, W) to CIE ab (B, 2, H, W), float32; the inverse of `encode_color`.

    U and V come without Y'. The Y' of the gray picture is too high for saturated colors, so this solves for the Y'
    that gives the lightness of the picture: colors that are right in UV are then right in ab.
    """
    color = color.float()
    if space == "lab":
        return color * AB_REACH
    with torch.autocast(color.device.type, enabled=False):  # rounding of Lab in bf16 is visible
        added = yuv_to_rgb(torch.cat([torch.zeros_like(lightness), color * UV_REACH], dim=1), _MATRIX)
        return rgb_to_lab(added + _luma_with(added, _luminance_of_gray(lightness)))[:, 1:]


def _luma_with(added: Tensor, luminance: Tensor) -> Tensor:
    """Solve for the Y' (B, 1, H, W) that gives a luminance (B, 1, H, W), by Newton's method.

    The luminance is convex in Y', and the first guess is not below the solution, so every step comes closer to it.

    Args:
        added: (B, 3, H, W), the contribution of U and V to R', G' and B'.
        luminance: (B, 1, H, W), of linear light in 0..1.
    """
    weights = torch.tensor(LUMINANCE_WEIGHTS, device=added.device)[:, None, None]
    luma = linear_to_srgb(luminance) - (weights * added).sum(dim=1, keepdim=True)
    for _ in range(_NEWTON_STEPS):
        reached, beyond = (
            (weights * srgb_to_linear(luma + ahead + added)).sum(dim=1, keepdim=True) for ahead in (0.0, _AHEAD)
        )
        luma = luma - (reached - luminance) * _AHEAD / (beyond - reached)
    return luma


def _luma_of_gray(lightness: Tensor) -> Tensor:
    """Convert L* (B, 1, H, W) to the Y' of the gray picture in 0..1, its sRGB-encoded value."""
    return linear_to_srgb(_luminance_of_gray(lightness))


def _luminance_of_gray(lightness: Tensor) -> Tensor:
    no_chroma = lightness.new_zeros(()).expand(len(lightness), 2, *lightness.shape[-2:])
    return lab_to_linear(lightness, no_chroma)[:, 1:2]  # its three channels are equal
