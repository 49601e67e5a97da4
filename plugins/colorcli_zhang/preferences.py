"""Random preferences for some colors over others, so that one distribution gives several plausible pictures.

To draw every pixel's color by itself would be noise. Here a picture is colored as if by somebody with a taste: what
they like changes slowly from color to color, from place to place, and from dark to light, so that what belongs
together stays together. Where the network is sure, a taste changes little; where it is not, much. These are no exact
draws from the distribution of pictures, which a classifier of pixels does not know.
"""

import math

import torch
from torch import Tensor

_STRENGTH = 1.4  # standard deviation in nats; from 2 on faces turn blue and green
_COLORS = 25.0  # in ab, how far apart colors are that are liked independently of each other
_PLACES = 0.8  # of the picture's longer side
_TONES = 50.0  # of L*
_WAVES = 256


def preference(lightness: Tensor, centers: Tensor, seed: int) -> Tensor:
    """Draw a smooth random preference for colors: a Gaussian process over color, place and lightness.

    Its kernel is a Gaussian, approximated by random waves (Rahimi and Recht 2007).

    Args:
        lightness: (B, 1, h, w) L* in 0..100.
        centers: (Q, 2) ab.
        seed: decides it, on every device.

    Returns:
        (B, Q, h, w) nats to add to the logits, of mean 0.
    """
    chance = torch.Generator().manual_seed(seed)
    waves = torch.randn(_WAVES, 5, generator=chance).to(lightness.device)
    phases = (torch.rand(_WAVES, generator=chance) * 2 * math.pi).to(lightness.device)
    with torch.autocast(lightness.device.type, enabled=False):  # phases in bf16 are of another taste
        of_color = centers.float() / _COLORS @ waves[:, :2].T + phases
        of_place = _places(lightness.float()) @ waves[:, 2:].T
        # cos(of_color + of_place), summed over all waves
        even = torch.einsum("qk,bhwk->bqhw", of_color.cos(), of_place.cos())
        odd = torch.einsum("qk,bhwk->bqhw", of_color.sin(), of_place.sin())
        return _STRENGTH * math.sqrt(2 / _WAVES) * (even - odd)


def _places(lightness: Tensor) -> Tensor:
    """Say where each pixel is and how light: (B, h, w, 3), in units of what is independent."""
    height, width = lightness.shape[-2:]
    unit = _PLACES * max(height, width)
    rows, columns = (torch.arange(side, device=lightness.device) / unit for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    place = torch.stack([y, x], dim=-1).expand(len(lightness), -1, -1, -1)
    return torch.cat([place, lightness[:, 0, :, :, None] / _TONES], dim=-1)
