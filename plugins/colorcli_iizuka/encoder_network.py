"""Iizuka's fusion of local and global features on top of an encoder that already recognizes what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from colorcli.encoders import Fusion, GrayEncoder, Level, PyramidDecoder
from colorcli_iizuka.network import AB_REACH

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedIizukaNetwork(nn.Module):
    """A network that fuses local features of a pretrained encoder with one global vector, and colors the result.

    Local features are those at stride 8, as published. The global vector is computed from the deepest features of the
    whole picture; in training, the scene classifier sees it, too.

    Args:
        encoder: the name of a `colorcli.encoders.GrayEncoder`.
        widths: channels of the local features at strides 32, 16 and 8, and of the colorization at stride 4.
        scene: length of the global vector.
        classes: number of classes of the classifier that helps to train the global features; 0 for no classifier.

    Attributes:
        space: the color space of the output, for the recipe.
    """

    space = "lab"

    def __init__(
        self, encoder: str, widths: Sequence[int] = (192, 128, 96, 64), scene: int = 256, classes: int = 0
    ) -> None:
        super().__init__()
        *local, fine = widths
        self.encoder = GrayEncoder(encoder)
        channels = self.encoder.channels
        self.mid = PyramidDecoder(channels, local)
        self.scene = nn.Sequential(_connected(channels[-1], scene), _connected(scene, scene))
        self.fusion = Fusion(self.mid.channels, scene)
        self.level = Level(self.mid.channels, channels[-1 - len(local)], fine)
        self.color = nn.Conv2d(fine, 2, 3, padding=1)
        nn.init.normal_(self.color.weight, std=0.01)  # starts gray
        nn.init.zeros_(self.color.bias)  # type: ignore[arg-type]
        self.category = nn.Linear(scene, classes) if classes else None

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor | None]:
        """Predict the color of pictures.

        Args:
            luma: (B, 1, H, W) in 0..1, H and W multiples of 32.

        Returns:
            Color (B, 2, H / 4, W / 4), float32 in 0..1, for `to_ab`; and the scores of the categories (B, classes), or
            None without a classifier.
        """
        pyramid = self.encoder.of_luma(luma)
        local = self.mid(pyramid)
        scene = self.scene(pyramid[-1].mean(dim=(2, 3)))
        fused = self.fusion(local, scene)
        skip = pyramid[-1 - len(self.mid.levels) - 1]
        color = self.color(self.level(fused, skip)).float()  # a step of bf16 is 0.4 ab
        return color.sigmoid(), None if self.category is None else self.category(scene)

    def to_ab(self, color: Tensor) -> Tensor:
        """Convert the color from `forward` to CIE ab (B, 2, h, w), as published: ab = (2 s - 1) 100."""
        return (2 * color - 1) * AB_REACH


def _connected(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True))
