"""Agreement within surfaces: places of similar lightness side by side decide on their color together."""

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 0.2  # of the width or height, after which a neighbor's weight falls to 1/e on a flat surface


def agree(logits: Tensor, lightness: Tensor, contrast: float) -> Tensor:
    """Average the logits of every place with those of the surface that it lies on, along its row, then its column.

    The weight of a neighbor falls exponentially with the distance to it, which counts the changes of lightness on the
    way (the geodesic distance of Gastal and Oliveira's domain transform, 2011). So a surface gets one color instead of
    patches, and colors end where the lightness changes. Averaged logits are the geometric mean of distributions.

    Args:
        logits: (B, Q, h, w).
        lightness: (B, 1, H, W), L* in 0..100, scaled here to h x w.
        contrast: change of L* that counts as much as a fifth of the width or height; 0 leaves the logits as they are.

    Returns:
        (B, Q, h, w).
    """
    if not contrast:
        return logits
    tones = functional.interpolate(lightness.float(), logits.shape[-2:], mode="area")[:, 0]
    bins_last = logits.movedim(1, -1)  # as networks in channels_last have them
    with torch.autocast(logits.device.type, enabled=False):
        rows = _weights(tones, contrast).to(logits.dtype) @ bins_last
        columns = _weights(tones.mT, contrast).to(logits.dtype) @ rows.transpose(1, 2)
    return columns.permute(0, 3, 2, 1)


def _weights(tones: Tensor, contrast: float) -> Tensor:
    """Compute how much each place of a row counts for each other: tones (B, h, w) to (B, h, w, w), which sum to 1."""
    steps = 1 / (_REACH * tones.shape[-1]) + tones.diff(dim=-1).abs() / contrast
    position = functional.pad(steps.cumsum(dim=-1), (1, 0))
    return (-(position[..., :, None] - position[..., None, :]).abs()).softmax(dim=-1)
