"""What a generator sees and gives, in -1..1, in the two colour spaces of the Edinburgh paper."""

from typing import Literal, get_args

import torch
from torch import Tensor

from colorcli.color import (
    lab_to_linear,
    lab_to_rgb,
    linear_to_srgb,
    rgb_to_lab,
    rgb_to_lightness,
    rgb_to_yuv,
    yuv_to_rgb,
)

Space = Literal["lab", "yuv"]
AB_REACH = 110.0  # -1..1 stands for ab in -110..110
UV_REACH = 0.5  # and for all of U and V
_MATRIX: Literal["bt601"] = "bt601"
_CORRECTIONS = 8


def check(space: str) -> None:
    """Raise ValueError unless there is such a space."""
    if space not in get_args(Space):
        raise ValueError(f"space is {space!r}, where one of {', '.join(get_args(Space))} was expected")


def encode_grey(lightness: Tensor, space: Space) -> Tensor:
    """Turn L* (B, 1, H, W) in 0..100 into what a generator sees: L* / 50 - 1, or 2 Y' - 1 of the grey picture."""
    return lightness / 50 - 1 if space == "lab" else 2 * _luma(lightness) - 1


def encode_colour(lightness: Tensor, ab: Tensor, space: Space) -> Tensor:
    """Turn true colours (B, 1, H, W) and (B, 2, H, W) into what a generator is to give: ab / 110, or 2 UV."""
    if space == "lab":
        return ab / AB_REACH
    return rgb_to_yuv(lab_to_rgb(lightness, ab), _MATRIX)[:, 1:] / UV_REACH


def decode_colour(lightness: Tensor, colour: Tensor, space: Space) -> Tensor:
    """Turn what a generator gave (B, 2, H, W) into CIE ab (B, 2, H, W), float32; undoes `encode_colour`.

    U and V come with no Y' of their own. The grey picture's is too high for saturated colours, so it is lowered until
    the colour has the lightness L* of the picture: then colours that are right in UV are right in ab.
    """
    colour = colour.float()
    if space == "lab":
        return colour * AB_REACH
    with torch.autocast(colour.device.type, enabled=False):  # Lab in bf16 shows
        luma, uv = _luma(lightness), colour * UV_REACH
        wanted = luma
        for _ in range(_CORRECTIONS):
            rgb = yuv_to_rgb(torch.cat([luma, uv], dim=1), _MATRIX)
            luma = luma + wanted - _luma(rgb_to_lightness(rgb))
        return rgb_to_lab(yuv_to_rgb(torch.cat([luma, uv], dim=1), _MATRIX))[:, 1:]


def _luma(lightness: Tensor) -> Tensor:
    """Turn L* (B, 1, H, W) into Y' in 0..1 of the grey picture, which is its sRGB-encoded value."""
    no_chroma = lightness.new_zeros(()).expand(len(lightness), 2, *lightness.shape[-2:])
    return linear_to_srgb(lab_to_linear(lightness, no_chroma)[:, 1:2])
