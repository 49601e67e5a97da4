"""Paints smooth areas like skies and textured ones like meadows: a network that sees pictures at their own size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli import Colorizer, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

colorcli_api = 1  # the version of colorcli's plugin API that this is written for


class Texture(Colorizer):
    """Texture is measured in blocks of 8 pixels, so a picture must not be scaled to a fixed square."""

    name = "texture"
    summary = "Smooth areas like skies, textured ones like meadows, at the picture's own size."
    size = None  # the network sees pictures at their own size,
    multiple_of = 8  # padded to whole blocks,
    longest_side = 1024  # and larger ones at this size, so that memory does not grow with them

    def build(self) -> nn.Module:
        import torch  # late: `colorcli models` stays fast
        from torch import nn

        class Blocks(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                colors = torch.tensor([[-4.0, -18.0], [2.0, 16.0]])  # ab of smooth and of textured areas
                self.colors = nn.Parameter(colors)

            def forward(self, lightness: Tensor) -> Tensor:
                mean = nn.functional.avg_pool2d(lightness, 8)
                spread = nn.functional.avg_pool2d(lightness.square(), 8) - mean.square()
                smooth = torch.exp(-spread.clamp_min(0).sqrt() / 5)  # (B, 1, H / 8, W / 8), 0..1
                shares = torch.cat([smooth, 1 - smooth], dim=1) * mean / 100
                return torch.einsum("bkhw,kc->bchw", shares, self.colors)

        return Blocks()

    def predict(self, network: nn.Module, lightness: Tensor) -> Tensor:
        ab: Tensor = network(lightness)  # (B, 1, H, W) -> (B, 2, H / 8, W / 8); the host scales it
        return ab


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the colorizer."""
    register(Texture())
