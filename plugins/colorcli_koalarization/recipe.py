"""The training of the Koalarization network: regression of chroma, or classification of a and b."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.encoders import EncoderTraining
from colorcli.training.optimization import ChromaWeight, Optimization, expect_one_of, learning_rate_factor
from colorcli_koalarization.network import AB_REACH, KoalarizationNetwork
from colorcli_koalarization.pretrained import give_weights

LossName = Literal["mse", "cross-entropy", "continuous-cross-entropy"]
OptimizerName = Literal["adam", "adamw"]
ScheduleName = Literal["constant", "halving", "cosine"]


class KoalarizationRecipe(Recipe):
    """The squared error of the colors, as published, or one of two cross-entropies, after Hwang and Zhou.

    The squared error is the mean over pixels and channels, in the network's -1..1. The cross-entropy of bins is the
    mean over pixels of that of a plus that of b. The continuous cross-entropy is the mean over pixels and channels of
    -(t log p + (1 - t) log(1 - p)), where p and t are predicted and true ab, scaled to 0..1: the Georgia Tech paper
    (section 3) computes a cross-entropy on continuous a and b without giving its formula, and this is the usual one.

    Args:
        loss: `mse`, `cross-entropy` (of bins), or `continuous-cross-entropy`.
        bins: for `cross-entropy`, the number of equal bins for a, and likewise for b.
        chroma_weight: a pixel's loss counts 1 + chroma_weight |ab| / 50 times, over the mean of that in the data, so
            that saturated colors, which are rare, count; 0 is the papers'.
        pretrained: where the extractor's weights come from when a run begins, unless the weights that it starts from
            have them, see `colorcli_koalarization.pretrained.give_weights`.
        optimizer: `adam` as published, or `adamw`.
        learning_rate: highest learning rate.
        betas: betas of the optimizer.
        weight_decay: decoupled weight decay, with AdamW.
        schedule: `constant`; `halving`; or `cosine` after a short warm-up.
        halvings: for the schedule `halving`: number of halvings in a run, the last at its end; 10 in 20 epochs is
            every 2 epochs.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        *,
        loss: LossName = "mse",
        bins: int = 50,
        chroma_weight: float = 0.0,
        pretrained: str = "published",
        optimizer: OptimizerName = "adam",
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        schedule: ScheduleName = "constant",
        halvings: int = 10,
    ) -> None:
        expect_one_of("loss", loss, LossName)
        expect_one_of("optimizer", optimizer, OptimizerName)
        expect_one_of("schedule", schedule, ScheduleName)
        if bins < 2 or chroma_weight < 0 or halvings < 1:
            raise ValueError("bins must be 2 or more, chroma_weight 0 or more, and halvings 1 or more")
        self.loss = loss
        self.bins = bins
        self.weight = ChromaWeight(chroma_weight)
        self.pretrained = pretrained
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.betas = betas
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.halvings = halvings
        self.optimization = Optimization()

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Measure the mean weight of a pixel where chroma counts; say how many bins the network needs."""
        self.weight.survey(functional.avg_pool2d(color, 2) for color in colors)
        return {"bins": self.bins} if self.loss == "cross-entropy" else {}

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Start as every recipe does, and load the extractor's weights, if it has none yet.

        Raises:
            UsageError: the source of weights does not exist for this extractor.
            WeightsNotFound: the extractor's weights are not available.
            WeightsCorrupt: they are of another network.
        """
        if isinstance(network, KoalarizationNetwork):
            if not network.extractor.given:
                give_weights(network.extractor, self.pretrained)
        else:
            EncoderTraining(self.pretrained).start(network)
        self.network = self.optimization.start(fabric, network, [self._optimizer(network)], self._rate_factor, steps)
        return self.network

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        kind = torch.optim.Adam if self.optimizer_name == "adam" else torch.optim.AdamW
        return kind(learned, lr=self.learning_rate, betas=self.betas, weight_decay=self.weight_decay)

    def _rate_factor(self, progress: float) -> float:
        """Compute the factor of the learning rate at a point of the run in 0..1."""
        if self.schedule == "halving":
            return 0.5 ** int(progress * self.halvings + 1e-9)  # not one step late by rounding
        return learning_rate_factor(self.schedule, progress)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        losses = self.validate(self.network, batch)
        self.optimization.step(losses["loss"])
        return {name: loss.detach() for name, loss in losses.items()}

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        colored = network(batch.lightness)
        truth = functional.adaptive_avg_pool2d(batch.ab, colored.shape[-2:])
        error = {
            "mse": self._squared_error,
            "cross-entropy": self._cross_entropy,
            "continuous-cross-entropy": self._continuous_cross_entropy,
        }[self.loss]
        weight = self.weight(truth)
        return {"loss": (weight * error(colored, truth)).mean()}

    def _squared_error(self, colored: Tensor, ab: Tensor) -> Tensor:
        """Compare (B, 2, h, w) in -1..1 with ab: (B, 2, h, w)."""
        return (colored - ab / AB_REACH) ** 2

    def _cross_entropy(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Compare logits (B, 2 bins, h, w) with ab, each in its bin: (B, 1, h, w)."""
        bin_ = ((ab / AB_REACH + 1) / 2 * self.bins).long().clamp(0, self.bins - 1)  # (B, 2, h, w)
        B, _, h, w = logits.shape
        by_bin = logits.view(B, 2, self.bins, h, w).movedim(2, 1)
        return functional.cross_entropy(by_bin, bin_, reduction="none").sum(dim=1, keepdim=True)

    def _continuous_cross_entropy(self, colored: Tensor, ab: Tensor) -> Tensor:
        """Compare (B, 2, h, w) in -1..1 with ab: (B, 2, h, w)."""
        predicted, true = (((color + 1) / 2).clamp(0, 1) for color in (colored, ab / AB_REACH))
        return functional.binary_cross_entropy(predicted, true, reduction="none")

    def state(self) -> dict[str, Any]:
        return {"mean_weight": self.weight.mean, "descent": self.optimization.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.weight.mean = state["mean_weight"]
        self.optimization.load(state["descent"])
