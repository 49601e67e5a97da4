"""The L1 distance of the Edinburgh paper, in the color spaces of the generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli import Colors
    from colorcli_pix2pix.spaces import Space

_L1_WEIGHT = 100.0  # lambda of Isola et al. 2017: the loss in the paper's tables contains it


class SpaceL1(Metric):
    """100 times the mean distance of the chroma in a generator's own -1..1: the "L1 loss" of the paper's tables.

    Args:
        space: `lab`, where -1..1 stands for ab in -110..110, or `yuv`, where it stands for all of U and V.
    """

    better = "lower"

    def __init__(self, space: Space) -> None:
        self.space = space
        self.name = f"l1_space_{space}"  # type: ignore[misc]
        self.heading = f"100 L1 in {space.upper()}"
        self.decimals = 3
        self.definition = (
            f"{self.heading}: 100 times the mean absolute difference of chroma in -1..1, in {space.upper()}."
        )

    def measure(self, predicted: Colors, true: Colors) -> float:
        return _L1_WEIGHT * float((self._encoded(predicted, true) - self._encoded(true, true)).abs().double().mean())

    def _encoded(self, colors: Colors, true: Colors) -> Tensor:
        """Express chroma in -1..1, (2, H, W), at the lightness of the true picture."""
        from colorcli.color import lab_to_rgb, rgb_to_lab
        from colorcli_pix2pix.spaces import encode_color

        rgb = lab_to_rgb(rgb_to_lab(true.rgb)[None, :1], colors.ab[None])
        return encode_color(rgb, colors.ab[None], self.space)[0]
