"""DDColor (Kang et al., ICCV 2023, arXiv:2212.11613): a transformer finds the hundred colors that a picture needs."""

from __future__ import annotations

import warnings
from threading import Lock
from typing import TYPE_CHECKING

from colorcli import Colorizer, Weights, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

colorcli_api = 1  # the version of colorcli's plugin API that this is written for


class DDColor(Colorizer):
    """The authors' network as the library spandrel has it, with the authors' weights."""

    name = "ddcolor"
    summary = "DDColor 2023: vivid, by a transformer that finds the colors which a picture needs."
    size = 512
    weights = {  # noqa: RUF012
        "tiny": Weights(
            repo="piddnad/ddcolor_paper_tiny",
            revision="cf9fd99c1d7472689ec7413441c1b799a51866a3",
            file="pytorch_model.bin",
            format="torch",
            size=220_372_845,
            sha256="8a1277bc90a1bfbb6d2d83933a9a6bc821931879ca93e26e4fcec12165d41fce",
            license="Apache-2.0",
            source="https://huggingface.co/piddnad/ddcolor_paper_tiny",
            trained_on="ImageNet, by the authors of the paper",
            parameters=55_006_640,
            network={"encoder_name": "convnext-t", "nf": 512, "num_queries": 100},
        )
    }
    _one_at_a_time = Lock()  # the encoder leaves its features where the decoder looks for them: in the network itself

    def build(self, encoder_name: str = "convnext-t", nf: int = 512, num_queries: int = 100) -> nn.Module:
        import torch

        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch.jit.script, in spandrel's
            from spandrel_extra_arches.architectures.DDColor import DDColor as Network
        network: nn.Module = Network(
            encoder_name=encoder_name,
            nf=nf,
            num_queries=num_queries,
            num_output_channels=2,
            last_norm="Spectral",
            input_size=(64, 64),  # of a first trial that finds the shapes; any multiple of 32 can follow
        )
        network.train()(torch.rand(1, 3, 64, 64))  # spectral norms divide by what they have seen: see something
        return network.eval()

    def predict(self, network: nn.Module, lightness: Tensor) -> Tensor:
        from colorcli.color import lab_to_linear, linear_to_srgb

        neutral = lightness.new_zeros(len(lightness), 2, *lightness.shape[-2:])
        gray = linear_to_srgb(lab_to_linear(lightness, neutral))  # (B, 3, H, W) in 0..1
        with self._one_at_a_time:
            ab: Tensor = network(gray)  # (B, 2, H, W)
        return ab


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Offer DDColor."""
    register(DDColor())
