"""Random color preferences, so that one distribution gives several plausible pictures.

Sampling every pixel independently would give noise. Instead, a random preference is added to the logits that changes
slowly with color, place and lightness, so that related pixels keep related colors. Where the network is certain, a
preference changes little; where it is uncertain, it changes much. These are not exact samples from a distribution of
pictures, which a pixel classifier does not model.
"""

import math

import torch
from torch import Tensor

_STRENGTH = 1.4  # standard deviation in nats; from 2 on, faces turn blue and green
_COLORS = 25.0  # correlation length in ab
_PLACES = 0.8  # correlation length, relative to the picture's longer side
_TONES = 50.0  # correlation length in L*
_WAVES = 256


def preference(lightness: Tensor, centers: Tensor, seed: int) -> Tensor:
    """Draw a smooth random preference for colors: a Gaussian process over color, place and lightness.

    Its kernel is a Gaussian, approximated by random waves (Rahimi and Recht 2007).

    Args:
        lightness: (B, 1, h, w) L* in 0..100.
        centers: (Q, 2) ab.
        seed: determines the preference, the same on every device.

    Returns:
        (B, Q, h, w) nats to add to the logits, of mean 0.
    """
    chance = torch.Generator().manual_seed(seed)
    waves = torch.randn(_WAVES, 5, generator=chance).to(lightness.device)
    phases = (torch.rand(_WAVES, generator=chance) * 2 * math.pi).to(lightness.device)
    with torch.autocast(lightness.device.type, enabled=False):  # bf16 would change the phases
        of_color = centers.float() / _COLORS @ waves[:, :2].T + phases
        of_place = _places(lightness.float()) @ waves[:, 2:].T
        # cos(of_color + of_place), summed over all waves
        even = torch.einsum("qk,bhwk->bqhw", of_color.cos(), of_place.cos())
        odd = torch.einsum("qk,bhwk->bqhw", of_color.sin(), of_place.sin())
        return _STRENGTH * math.sqrt(2 / _WAVES) * (even - odd)


def _places(lightness: Tensor) -> Tensor:
    """Compute the position and lightness of each pixel in correlation lengths: (B, h, w, 3)."""
    height, width = lightness.shape[-2:]
    unit = _PLACES * max(height, width)
    rows, columns = (torch.arange(side, device=lightness.device) / unit for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    place = torch.stack([y, x], dim=-1).expand(len(lightness), -1, -1, -1)
    return torch.cat([place, lightness[:, 0, :, :, None] / _TONES], dim=-1)
