"""The training of siggraph17: regression of chroma, given the true colors of some random places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.encoders import EncoderTraining
from colorcli.training.optimization import ChromaWeight, Optimization, Schedule, expect_one_of, learning_rate_factor
from colorcli_siggraph17.network import AB_REACH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lightning_fabric import Fabric

_MAX_PATCH = 9  # pixels, the smallest is 1 (Zhang 2017, section 3.3)
_LIKELY_DISTANCE = 0.25  # standard deviation of a place's distance from the picture's center, as a share of the sides


class Siggraph17Recipe(Recipe):
    """The loss and the simulated user of Zhang 2017, section 3.

    Of every picture, the recipe reveals a random number of places, geometrically distributed. They lie about the
    center, where people click, and are patches of 1 to 9 pixels with their mean color. Of a few pictures it reveals
    everything, so that the network learns to follow what it is given.

    Args:
        hint_chance: the probability that no further place is revealed: 1/8 reveals 7 places of a picture on average.
        revealed: share of the pictures that are revealed entirely.
        delta: ab distance at which the Huber loss turns from a square into a line.
        chroma_weight: a pixel's loss counts 1 + chroma_weight |ab| / 50 times, over the mean of that in the data; 0 is
            the paper's.
        learning_rate: highest learning rate.
        betas: betas of AdamW.
        weight_decay: decoupled weight decay; 0 is the paper's Adam.
        pretrained: where an encoder's weights come from, see `colorcli.encoders.give_weights`.
        encoder_rate: the encoder's learning rate as a share of the decoder's; 0 keeps it frozen.
        encoder_stride: the stride at which the encoder starts to learn.
        schedule: `constant`, `steps`, or `cosine` after a short warm-up.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        *,
        hint_chance: float = 1 / 8,
        revealed: float = 0.01,
        delta: float = 1.0,
        chroma_weight: float = 0.0,
        learning_rate: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        pretrained: str = "published",
        encoder_rate: float = 0.0,
        encoder_stride: int = 2,
        schedule: Schedule = "constant",
    ) -> None:
        expect_one_of("schedule", schedule, Schedule)
        if not 0 < hint_chance <= 1 or not 0 <= revealed <= 1:
            raise ValueError("hint_chance must be above 0 and at most 1, and revealed in 0..1")
        if delta <= 0:
            raise ValueError(f"delta must be above 0, got {delta}")
        self.hint_chance = hint_chance
        self.revealed = revealed
        self.delta = delta
        self.weight = ChromaWeight(chroma_weight)
        self.learning_rate = learning_rate
        self.betas = betas
        self.weight_decay = weight_decay
        self.encoder = EncoderTraining(pretrained, encoder_rate, encoder_stride)
        self.schedule = schedule
        self.optimization = Optimization()

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Measure the mean weight of a pixel where chroma counts."""
        self.weight.survey(functional.avg_pool2d(color, 2) for color in colors)
        return {}

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        self.encoder.start(network)
        groups = self.encoder.groups(network, self.learning_rate)
        optimizer = torch.optim.AdamW(groups, betas=self.betas, weight_decay=self.weight_decay)
        factor = partial(learning_rate_factor, self.schedule)
        self.network = self.optimization.start(fabric, network, [optimizer], factor, steps)
        return self.network

    def step(self, batch: Batch) -> dict[str, Tensor]:
        hints = random_hints(batch.ab, self.hint_chance, self.revealed)
        loss = self._loss(self.network, batch, hints)
        self.optimization.step(loss)
        return {"loss": loss.detach()}

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Judge without hints, and with the same random ones every time."""
        chance = torch.Generator().manual_seed(0)
        hints = random_hints(batch.ab, self.hint_chance, self.revealed, chance)
        with_hints = self._loss(network, batch, hints)
        without = self._loss(network, batch, torch.zeros_like(hints))
        return {"loss": (with_hints + without) / 2, "with_hints": with_hints, "without_hints": without}

    def _loss(self, network: nn.Module, batch: Batch, hints: Tensor) -> Tensor:
        """Compute the Huber loss of ab, summed over both channels, in units of AB_REACH."""
        predicted = network(batch.lightness, hints).float()
        truth = functional.adaptive_avg_pool2d(batch.ab, predicted.shape[-2:])
        error = functional.huber_loss(predicted, truth, reduction="none", delta=self.delta)
        return (self.weight(truth) * error.sum(dim=1, keepdim=True)).mean() / AB_REACH

    def state(self) -> dict[str, Any]:
        return {"mean_weight": self.weight.mean, "descent": self.optimization.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.weight.mean = state["mean_weight"]
        self.optimization.load(state["descent"])


def random_hints(ab: Tensor, chance: float, revealed: float, generator: torch.Generator | None = None) -> Tensor:
    """Reveal the colors of random places, as a user would.

    Args:
        ab: (B, 2, H, W), the truth.
        chance: the probability that no further place is revealed.
        revealed: share of the pictures that are revealed entirely.
        generator: generator of the random numbers, on the CPU; None for torch's own.

    Returns:
        (B, 3, H, W): ab of the revealed places, else 0, and where they are.
    """
    height, width = ab.shape[-2:]
    hints = ab.new_zeros(len(ab), 3, height, width)
    for truth, given in zip(ab, hints, strict=True):
        if torch.rand((), generator=generator) < revealed:
            given[:2], given[2] = truth, 1
            continue
        while torch.rand((), generator=generator) >= chance:
            side = int(torch.randint(1, _MAX_PATCH + 1, (), generator=generator))
            place = 0.5 + _LIKELY_DISTANCE * torch.randn(2, generator=generator)
            top, left = (
                min(max(int(share * whole - side / 2), 0), max(whole - side, 0))
                for share, whole in zip(place.tolist(), (height, width), strict=True)
            )
            patch = slice(top, top + side), slice(left, left + side)
            given[:2, *patch] = truth[:, *patch].mean(dim=(1, 2), keepdim=True)
            given[2, *patch] = 1
    return hints
