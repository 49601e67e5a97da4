"""DDColor (Kang et al., ICCV 2023, arXiv:2212.11613): a transformer finds the hundred colors that a picture needs."""

from __future__ import annotations

import warnings
from threading import Lock
from typing import TYPE_CHECKING

from colorcli import Colorizer, hookimpl, read_manifest
from colorcli.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

colorcli_api = 1


class DDColor(Colorizer):
    """The authors' network, as the library spandrel has it, with the authors' weights."""

    name = "ddcolor"
    summary = "DDColor 2023: vivid and detailed; needs the extra ddcolor and a download."
    size = 512
    weights = read_manifest("ddcolor")
    _one_at_a_time = Lock()  # the encoder leaves its features where the decoder looks for them: in the network itself

    def build(self, encoder_name: str = "convnext-t") -> nn.Module:
        """Build the network.

        Args:
            encoder_name: `convnext-t` or `convnext-l`.

        Raises:
            MissingDependency: spandrel_extra_arches is not installed.
        """
        import torch

        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch.jit.script, in spandrel's
                from spandrel_extra_arches.architectures.DDColor import DDColor as Network
        except ModuleNotFoundError as error:
            raise MissingDependency(
                f"The colorizer ddcolor needs {error.name}, which is not installed.",
                'Install it: pip install "colorcli[ddcolor]"',
            ) from error
        network: nn.Module = Network(
            encoder_name=encoder_name,
            nf=512,
            num_queries=100,
            num_output_channels=2,
            last_norm="Spectral",
            input_size=(64, 64),  # size of a first trial that finds the shapes; any multiple of 32 can follow
        )
        network.train()(torch.rand(1, 3, 64, 64))  # spectral norms divide by what they have seen, so run once
        return network.eval()

    def predict(self, network: nn.Module, lightness: Tensor) -> Tensor:
        """Predict chroma (B, 2, H, W), ab, from lightness (B, 1, H, W), L*."""
        from colorcli.color import lab_to_linear, linear_to_srgb

        neutral = lightness.new_zeros(len(lightness), 2, *lightness.shape[-2:])
        gray = linear_to_srgb(lab_to_linear(lightness, neutral))  # (B, 3, H, W) in 0..1
        with self._one_at_a_time:
            ab: Tensor = network(gray)
        return ab


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the colorizer."""
    register(DDColor())
