"""Smoothing within surfaces: places of similar lightness side by side get one color."""

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 0.2  # distance, as a share of width or height, at which a neighbor's weight falls to 1/e on a flat surface


def smooth_surfaces(values: Tensor, lightness: Tensor, contrast: float) -> Tensor:
    """Average the values of every place with those of the surface that it lies on, along its row, then its column.

    The weight of a neighbor falls exponentially with the distance to it, which counts the changes of lightness on the
    way (the geodesic distance of Gastal and Oliveira's domain transform, 2011). So a surface gets one color instead of
    patches, and colors end where the lightness changes. Of logits, this is the geometric mean of the distributions.

    Args:
        values: (B, C, h, w), ab or the logits of a distribution.
        lightness: (B, 1, H, W), L* in 0..100, scaled here to h x w.
        contrast: change of L* that counts as much as a fifth of the width or height; 0 leaves the values as they are.

    Returns:
        (B, C, h, w).
    """
    if not contrast:
        return values
    tones = functional.interpolate(lightness.float(), values.shape[-2:], mode="area")[:, 0]
    channels_last = values.movedim(1, -1)
    with torch.autocast(values.device.type, enabled=False):
        rows = _weights(tones, contrast).to(values.dtype) @ channels_last
        columns = _weights(tones.mT, contrast).to(values.dtype) @ rows.transpose(1, 2)
    return columns.permute(0, 3, 2, 1)


def _weights(tones: Tensor, contrast: float) -> Tensor:
    """Compute how much each place of a row counts for each other: tones (B, h, w) to (B, h, w, w), which sum to 1."""
    steps = 1 / (_REACH * tones.shape[-1]) + tones.diff(dim=-1).abs() / contrast
    position = functional.pad(steps.cumsum(dim=-1), (1, 0))
    return (-(position[..., :, None] - position[..., None, :]).abs()).softmax(dim=-1)
