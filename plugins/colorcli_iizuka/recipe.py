"""The training of the Iizuka network: regression of chroma, supported by a classification of the scene."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.color import lightness_to_gray
from colorcli.encoders import EncoderTraining
from colorcli.errors import DataError
from colorcli.training.optimization import ChromaWeight, Optimization, Schedule, expect_one_of, learning_rate_factor
from colorcli_iizuka.network import AB_REACH

OptimizerName = Literal["adadelta", "adamw"]


class IizukaRecipe(Recipe):
    """The loss of Iizuka 2016: the squared error of the color plus alpha times the cross-entropy of the category.

    The squared error is the mean over pixels and channels, of color in the network's 0..1: then alpha = 1/300 makes
    the two parts about as large, as the sum over all pixels would not.

    Args:
        alpha: weight of the classification; 0 trains without it, as the Utrecht paper does.
        chroma_weight: a pixel's squared error counts 1 + chroma_weight |ab| / 50 times, over the mean of that in the
            data, so that saturated colors, which are rare, count; 0 is the paper's.
        optimizer: `adadelta` as published, or `adamw`.
        learning_rate: highest learning rate; 1 is Adadelta's own.
        betas: betas of AdamW.
        weight_decay: decoupled weight decay, with AdamW.
        pretrained: where an encoder's weights come from when a run begins, unless the weights that it starts from have
            them, see `colorcli.encoders.give_weights`.
        encoder_rate: the encoder's learning rate, as a share of that of all else; 0 keeps it frozen.
        encoder_stride: the stride at which the encoder starts to learn; the layers of finer strides stay frozen.
        schedule: as in `colorcli.training.optimization`: `constant`, `steps`, or `cosine` after a short warm-up.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        *,
        alpha: float = 1 / 300,
        chroma_weight: float = 0.0,
        optimizer: OptimizerName = "adadelta",
        learning_rate: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        pretrained: str = "published",
        encoder_rate: float = 0.0,
        encoder_stride: int = 2,
        schedule: Schedule = "constant",
    ) -> None:
        expect_one_of("optimizer", optimizer, OptimizerName)
        expect_one_of("schedule", schedule, Schedule)
        if alpha < 0:
            raise ValueError(f"alpha must be 0 or more, got {alpha}")
        self.encoder = EncoderTraining(pretrained, encoder_rate, encoder_stride)
        self.alpha = alpha
        self.weight = ChromaWeight(chroma_weight)
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.betas = betas
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.optimization = Optimization()

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Count the categories, and the mean weight of a pixel where chroma counts."""
        if self.alpha and len(categories) < 2:
            raise DataError(
                f"alpha = {self.alpha:g} trains a classifier, which needs photographs in at least two categories, got "
                f"{len(categories)}.",
                "Sort them into a folder for each category, or set alpha = 0 in the recipe.",
            )
        self.weight.survey(functional.avg_pool2d(color, 2) for color in colors)
        return {"classes": len(categories) if self.alpha else 0}

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        self.space = network.space
        factor = partial(learning_rate_factor, self.schedule)
        self.encoder.start(network)
        self.network = self.optimization.start(fabric, network, [self._optimizer(network)], factor, steps)
        return self.network

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        rate, decay = self.learning_rate, self.weight_decay
        learned = self.encoder.groups(network, rate)
        if self.optimizer_name == "adamw":
            return torch.optim.AdamW(learned, lr=rate, betas=self.betas, weight_decay=decay)
        return torch.optim.Adadelta(learned, lr=rate, weight_decay=decay)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        losses = self.validate(self.network, batch)
        self.optimization.step(losses["loss"])
        return {name: loss.detach() for name, loss in losses.items()}

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses: "loss" is "color" and alpha times "classification", which needs a classifier."""
        predicted, scores = network(lightness_to_gray(batch.lightness))
        color = self._squared_error(predicted.float(), batch)
        if scores is None:
            return {"loss": color, "color": color}
        # Over all pictures, whether or not they have a category: so batches may be averaged.
        entropy = functional.cross_entropy(scores.float(), batch.category, ignore_index=-1, reduction="sum")
        classification = entropy / len(scores)
        return {"loss": color + self.alpha * classification, "color": color, "classification": classification}

    def _squared_error(self, predicted: Tensor, batch: Batch) -> Tensor:
        size = predicted.shape[-2:]
        truth = _reduced(batch.rgb, size) if self.space == "rgb" else (_reduced(batch.ab, size) / AB_REACH + 1) / 2
        weight = self.weight(_reduced(batch.ab, size))
        return (weight * (predicted - truth) ** 2).mean()

    def state(self) -> dict[str, Any]:
        return {"mean_weight": self.weight.mean, "descent": self.optimization.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.weight.mean = state["mean_weight"]
        self.optimization.load(state["descent"])


def _reduced(color: Tensor, size: Sequence[int]) -> Tensor:
    """Average over the network's pixels, each of which is several of the picture's: (B, C, H, W) to (B, C, h, w)."""
    return functional.adaptive_avg_pool2d(color, (size[0], size[1]))
