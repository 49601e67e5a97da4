"""A colorizer for one kind of evening: warm highlights and cool shadows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli import Colorizer, Option, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

colorcli_api = 1  # the version of colorcli's plugin API that this is written for


class Sunset(Colorizer):
    """Chroma is a straight line in lightness, from blue to orange."""

    name = "sunset"
    summary = "Warm highlights and cool shadows; two parameters, a plugin to copy from."
    size = 128
    options = (Option("warmth", 1.0, "how strong the evening is", minimum=0.0, maximum=2.0),)

    def build(self) -> nn.Module:
        import torch  # late: `colorcli models` stays fast
        from torch import nn

        network = nn.Conv2d(1, 2, 1, bias=False)
        network.weight.data = torch.tensor([10.0, 40.0]).reshape(2, 1, 1, 1)  # ab of the brightest light
        return network

    def predict(self, network: nn.Module, lightness: Tensor, *, warmth: float) -> Tensor:
        ab: Tensor = network(lightness / 50 - 1)  # (B, 1, H, W) -> (B, 2, H, W)
        return warmth * ab


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the sunset."""
    register(Sunset())
