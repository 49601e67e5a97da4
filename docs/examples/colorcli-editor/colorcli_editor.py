"""Tones pictures as darkrooms did: a network that edits RGB, and changes the lightness along the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli import Colorizer, Option, Prediction, hookimpl
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

colorcli_api = 1  # the version of colorcli's plugin API that this is written for
_TONES = {  # what the editor makes of a white pixel: R, G, B
    "sepia": (1.351, 1.203, 0.937),
    "cyanotype": (0.55, 0.8, 1.1),
    "selenium": (0.95, 0.88, 0.98),
}


class Toner(Colorizer):
    """Instructed by a text, as the large editors are."""

    name = "toner"
    summary = "Darkroom tones, by an RGB editor that follows a prompt."
    size = 256
    options = (Option("prompt", "a sepia print", "what the picture should look like", maximum=200),)

    def build(self) -> nn.Module:
        import torch  # late: `colorcli models` stays fast
        from torch import nn

        class Editor(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.tones = nn.Parameter(torch.tensor(list(_TONES.values())))

            def forward(self, rgb: Tensor, tone: int) -> Tensor:
                return (rgb * self.tones[tone].reshape(3, 1, 1)).clamp(0, 1)

        return Editor()

    def predict(self, network: nn.Module, lightness: Tensor, *, prompt: str) -> Prediction:
        from colorcli.color import gray_rgb

        tone = next((number for number, name in enumerate(_TONES) if name in prompt.lower()), None)
        if tone is None:
            if not prompt:
                return self.predict(network, lightness, prompt="sepia")
            raise UsageError(f"-p prompt must name a tone, got {prompt!r}.", f"Tones: {', '.join(_TONES)}.")
        edited = network(gray_rgb(lightness), tone)  # (B, 3, H, W) in 0..1, brighter or darker than it was
        return Prediction.from_rgb(edited, lightness)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the colorizer."""
    register(Toner())
