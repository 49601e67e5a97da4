"""Smoothing within surfaces: places of similar lightness side by side get one color."""

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 0.2  # distance, as a share of width or height, at which a neighbor's weight falls to 1/e on a flat surface
_FARTHEST = 60.0  # a weight of 1e-26 counts for nothing, and subnormal numbers take fifteen times as long


def smooth_surfaces(values: Tensor, lightness: Tensor, contrast: float | Tensor) -> Tensor:
    """Average the values of every place with those of the surface that it lies on, along its row, then its column.

    The weight of a neighbor falls exponentially with the distance to it, which counts the changes of lightness on the
    way (the geodesic distance of Gastal and Oliveira's domain transform, 2011). So a surface gets one color instead of
    patches, and colors end where the lightness changes. Of logits, this is the geometric mean of the distributions.

    Args:
        values: (B, C, h, w), ab, the logits of a distribution, or features that logits are a linear function of.
        lightness: (B, 1, H, W), L* in 0..100, scaled here to h x w.
        contrast: change of L* that counts as much as a fifth of the width or height; 0 leaves the values as they are.
            As a tensor, (B, 1) of positive numbers.

    Returns:
        (B, C, h, w).
    """
    if isinstance(contrast, Tensor):
        contrast = contrast[:, None]
    elif not contrast:
        return values
    tones = functional.interpolate(lightness.float(), values.shape[-2:], mode="area")[:, 0]
    with torch.autocast(values.device.type, enabled=False):
        rows = _average(values.movedim(1, -1), tones, contrast)
        columns = _average(rows.transpose(1, 2), tones.mT, contrast)
    return columns.permute(0, 3, 2, 1)


def _average(values: Tensor, tones: Tensor, contrast: float | Tensor) -> Tensor:
    """Average each place of a row (B, h, w, C) with all others of it, by tones (B, h, w)."""
    steps = 1 / (_REACH * tones.shape[-1]) + tones.diff(dim=-1).abs() / contrast
    position = functional.pad(steps.cumsum(dim=-1), (1, 0))
    # In place, which takes half of the time.
    weights = (position[..., :, None] - position[..., None, :]).abs_().clamp_(max=_FARTHEST).neg_().exp_()
    total = weights.sum(dim=-1, keepdim=True)
    return (weights.to(values.dtype) @ values) / total.to(values.dtype)
