"""Faults of old photographs and copies, simulated on the lightness of training photographs."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

_BLUR = 1.4  # standard deviation in pixels, at most
_REACH = 3  # reach of the blur, in pixels
_GRAIN = 7.0  # standard deviation in L*, at most
_FADED = 18.0  # L* of the deepest black, at most
_DIMMED = 12.0  # loss of L* at the brightest white, at most
_GAMMA = 0.35  # natural logarithm of the gamma of the tones, at most
_VIGNETTE = 0.45  # share of lightness lost in the corners, at most
_JPEG = 1.0  # factor of the quantization below, at most; 1 is a quality of 50

_QUANTIZATION = (  # quantization of luma, ITU-T T.81, table K.1
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def age(lightness: Tensor, share: float) -> Tensor:
    """Make some pictures of a batch look like old photographs or poor copies, each fault in about half of them.

    Pictures, faults and strengths are drawn with torch's global random number generator.

    Args:
        lightness: (B, 1, s, s), CIE L* in 0..100.
        share: share of the pictures, 0..1.

    Returns:
        (B, 1, s, s), CIE L* in 0..100.
    """
    chosen = torch.rand(len(lightness)) < share
    if not chosen.any():
        return lightness
    old = lightness[chosen.to(lightness.device)]
    for fault in (_tones, _vignette, _blur, _grain, _jpeg):
        old = fault(old, _strengths(old))
    aged = lightness.clone()
    aged[chosen.to(lightness.device)] = old.clamp(0, 100)
    return aged


def _strengths(lightness: Tensor) -> Tensor:
    """Draw the strength of a fault in each picture: (B, 1, 1, 1) in 0..1, 0 in about half of them."""
    drawn = torch.rand(2, len(lightness), 1, 1, 1)
    return (drawn[0] * (drawn[1] < 0.5)).to(lightness.device)


def _tones(lightness: Tensor, strength: Tensor) -> Tensor:
    sign = torch.where(torch.rand(len(lightness), 1, 1, 1) < 0.5, -1.0, 1.0).to(lightness.device)
    bent = 100 * (lightness.clamp(0, 100) / 100) ** torch.exp(sign * strength * _GAMMA)
    black, white = strength * _FADED, 100 - strength * _DIMMED
    return black + bent * (white - black) / 100


def _vignette(lightness: Tensor, strength: Tensor) -> Tensor:
    side = torch.linspace(-1, 1, lightness.shape[-1], device=lightness.device)
    distance = (side[:, None] ** 2 + side[None, :] ** 2) / 2  # 1 in the corners
    return lightness * (1 - strength * _VIGNETTE * distance)


def _blur(lightness: Tensor, strength: Tensor) -> Tensor:
    offsets = torch.arange(-_REACH, _REACH + 1, device=lightness.device)
    deviation = (strength * _BLUR).clamp_min(0.05)
    kernel = torch.exp(-(offsets**2) / (2 * deviation[:, :, 0] ** 2))  # (B, 1, 7)
    kernel = kernel / kernel.sum(dim=-1, keepdim=True)
    pictures = functional.pad(lightness.transpose(0, 1), (_REACH,) * 4, mode="reflect")
    pictures = functional.conv2d(pictures, kernel[:, :, :, None], groups=len(lightness))
    return functional.conv2d(pictures, kernel[:, :, None, :], groups=len(lightness)).transpose(0, 1)


def _grain(lightness: Tensor, strength: Tensor) -> Tensor:
    noise = torch.randn(lightness.shape).to(lightness.device)
    coarse = 1.7 * functional.avg_pool2d(noise, 3, 1, 1)  # grain is larger than a pixel
    midtones = 0.4 + 2.4 * (lightness / 100) * (1 - lightness / 100)  # where grain is most visible
    return lightness + strength * _GRAIN * midtones * (noise + coarse) / math.sqrt(2)


def _jpeg(lightness: Tensor, strength: Tensor) -> Tensor:
    """Quantize the cosine transform of blocks of 8x8, as JPEG does; what exceeds a multiple of 8 stays as it is."""
    side = lightness.shape[-1] // 8 * 8
    transform, table = (t.to(lightness.device) for t in _cosines())
    steps = table * (strength * _JPEG)[:, :, :, :, None, None] * 100 / 255
    across = (len(lightness), 1, side // 8, 8, side // 8, 8)
    blocks = lightness[:, :, :side, :side].reshape(across).transpose(3, 4)
    spectrum = transform @ blocks @ transform.T  # (B, 1, s / 8, s / 8, 8, 8)
    quantized = torch.where(steps > 0, (spectrum / steps.clamp_min(1e-6)).round() * steps, spectrum)
    restored = (transform.T @ quantized @ transform).transpose(3, 4)
    out = lightness.clone()
    out[:, :, :side, :side] = restored.reshape(len(lightness), 1, side, side)
    return out


@cache
def _cosines() -> tuple[Tensor, Tensor]:
    """Return the orthonormal transform of 8 samples (8, 8) and the table of quantization steps (8, 8)."""
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    transform = torch.cos(math.pi * (2 * n + 1) * k / 16) / 2
    transform[0] /= math.sqrt(2)
    return transform, torch.tensor(_QUANTIZATION, dtype=torch.float32)
