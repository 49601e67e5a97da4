"""The training of the Zhang network: soft-encoded classification with class rebalancing."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.color import rgb_to_lab
from colorcli.encoders import EncoderTraining
from colorcli.training.optimization import Optimization, Schedule, expect_one_of, learning_rate_factor
from colorcli_zhang.bins import (
    bin_centers,
    circle_classes,
    count_nearest,
    nearest_table,
    rebalancing_weights,
    smooth_prior,
    table_index,
)
from colorcli_zhang.muon import Muon

Gamut = Literal["srgb", "data", "circle"]
Labels = Literal["ab", "picture"]
OptimizerName = Literal["adamw", "muon"]


class ZhangRecipe(Recipe):
    """The loss of Zhang 2016, equation 2, and its optimizer.

    Args:
        gamut: `srgb`, all bins of the sRGB gamut; `data`, those of its bins that the data has colors in (Liège
            paper, section III A); `circle`, the 114 cells of the Lab disc that sRGB touches (Rome paper, section 4).
        labels: what a pixel of the output learns from the pixels that it represents: `ab`, their mean ab, or
            `picture`, the ab of their mean R'G'B', as in a picture of that size, which is what the papers encode.
        neighbors: bins in the soft encoding of a color.
        sigma: width in ab of the soft encoding and of the smoothing of the prior.
        rebalancing: lambda of equation 4: 1 treats all colors alike, 0 weighs by rarity alone; the paper has 0.5.
        adjustment: how much of the rebalancing the network's own distribution leaves out: the loss sees logits plus
            adjustment times the logarithm of a bin's weight (Menon et al., Long-tail learning via logit adjustment,
            ICLR 2021). 0 is the paper's; with 1, the distribution is that of the data.
        optimizer: `adamw` for all, or `muon` for the weights between the first and the last layer, which learns
            faster.
        learning_rate: highest learning rate; under `muon`, AdamW's is a tenth of it.
        betas: betas of AdamW.
        weight_decay: decoupled weight decay, as in AdamW; 0 is Adam.
        pretrained: where an encoder's weights come from when a run begins, unless the weights that it starts from have
            them, see `colorcli.encoders.give_weights`.
        encoder_rate: the encoder's learning rate under AdamW, as a share of the decoder's; 0 keeps it frozen.
        encoder_stride: the stride at which the encoder starts to learn; the layers of finer strides stay frozen.
        color_weight: weight of the distance in tens of ab between the mean color and the truth, the mean of both
            channels, added to the loss.
        color_rebalancing: lambda of the pixels' weights in that distance; 1 lets all count alike.
        cast_weight: weight of the distance between the mean colors of whole pictures, likewise; it prevents color
            casts.
        smoothness_weight: weight of the differences in tens of ab between neighbors whose lightness is the same.
        schedule: `constant`, `steps` (to a third after 200 of every 450 steps and to a tenth after 375, as in Zhang
            2016), or `cosine` after a short warm-up.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        *,
        gamut: Gamut = "srgb",
        labels: Labels = "ab",
        neighbors: int = 5,
        sigma: float = 5.0,
        rebalancing: float = 0.5,
        adjustment: float = 0.0,
        optimizer: OptimizerName = "adamw",
        learning_rate: float = 3e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        pretrained: str = "published",
        encoder_rate: float = 0.0,
        encoder_stride: int = 2,
        color_weight: float = 0.0,
        color_rebalancing: float = 1.0,
        cast_weight: float = 0.0,
        smoothness_weight: float = 0.0,
        schedule: Schedule = "constant",
    ) -> None:
        expect_one_of("gamut", gamut, Gamut)
        expect_one_of("labels", labels, Labels)
        expect_one_of("optimizer", optimizer, OptimizerName)
        expect_one_of("schedule", schedule, Schedule)
        if neighbors < 1 or sigma <= 0 or not 0 <= rebalancing <= 1:
            raise ValueError("neighbors must be 1 or more, sigma above 0, and rebalancing in 0..1")
        self.gamut = gamut
        self.labels = labels
        self.neighbors = neighbors
        self.sigma = sigma
        self.rebalancing = rebalancing
        if not 0 <= adjustment <= 1:
            raise ValueError("adjustment must be in 0..1")
        self.adjustment = adjustment
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.betas = betas
        self.weight_decay = weight_decay
        self.encoder = EncoderTraining(pretrained, encoder_rate, encoder_stride)
        if not 0 <= color_rebalancing <= 1 or min(color_weight, cast_weight, smoothness_weight) < 0:
            raise ValueError("color_rebalancing must be in 0..1, and all weights 0 or more")
        self.color_weight = color_weight
        self.color_rebalancing = color_rebalancing
        self.cast_weight = cast_weight
        self.smoothness_weight = smoothness_weight
        self.schedule = schedule
        self.optimization = Optimization()

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Count the data's colors: which bins there are, and how rare each is."""
        centers = circle_classes()[0] if self.gamut == "circle" else bin_centers()
        counts = count_nearest(colors, centers)
        if self.gamut == "data":
            centers, counts = centers[counts > 0], counts[counts > 0]
        self._learn_colors(centers, counts)
        return {"classes": len(centers)}

    def _learn_colors(self, centers: Tensor, counts: Tensor) -> None:
        self.centers, self.counts = centers, counts
        self.index, self.encoding = nearest_table(centers, min(self.neighbors, len(centers)), self.sigma)
        prior = smooth_prior(counts, centers, self.sigma)
        self.weights = rebalancing_weights(prior, self.rebalancing)
        self.color_weights = rebalancing_weights(prior, self.color_rebalancing)

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        colors = circle_classes()[1] if self.gamut == "circle" else self.centers
        network.set_centers(colors)  # type: ignore[operator]
        self.encoder.start(network)
        factor = partial(learning_rate_factor, self.schedule)
        self.network = self.optimization.start(fabric, network, self._optimizers(network), factor, steps)
        self._move_tables(fabric.device)
        return self.network

    def _optimizers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
        trained = [learned.pop(name) for name in list(learned) if name.startswith("encoder.")]
        adamw_rate = self.learning_rate if self.optimizer == "adamw" else self.learning_rate / 10
        fine = [self._adamw(trained, adamw_rate * self.encoder.rate)] if trained else []
        if self.optimizer == "adamw":
            return [self._adamw(learned.values(), self.learning_rate), *fine]
        ends = {"model1.0.weight", "model8.6.weight", "classifier.weight"}
        inner = {name: p for name, p in learned.items() if p.ndim > 1 and name not in ends}
        others = [p for name, p in learned.items() if name not in inner]
        muon = Muon(inner.values(), self.learning_rate, weight_decay=self.weight_decay)
        return [muon, self._adamw(others, adamw_rate), *fine]

    def _adamw(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=learning_rate, betas=self.betas, weight_decay=self.weight_decay)

    def _move_tables(self, device: torch.device) -> None:
        self.index, self.encoding = self.index.to(device), self.encoding.to(device)
        self.weights, self.color_weights = self.weights.to(device), self.color_weights.to(device)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        losses = self.validate(self.network, batch)
        self.optimization.step(losses["loss"])
        return {name: loss.detach() for name, loss in losses.items()}

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        # As (B, h, w, Q), which networks in channels_last give without a copy.
        logits = network(batch.lightness).movedim(1, -1).float()
        log_probability = logits.log_softmax(dim=-1)
        adjusted = log_probability
        if self.adjustment:
            adjusted = (logits + self.adjustment * self.weights.log()).log_softmax(dim=-1)
        size = log_probability.shape[1:3]
        truth = self._reduced(batch, size)
        row = table_index(truth)  # (B, h, w)
        nearest = self.index[row]  # (B, h, w, k)
        cross_entropy = -(self.encoding[row] * adjusted.gather(-1, nearest)).sum(dim=-1)  # (B, h, w)
        nearest_bin = nearest[..., 0]
        classification = (self.weights[nearest_bin] * cross_entropy).mean()
        if not (self.color_weight or self.cast_weight or self.smoothness_weight):
            return {"loss": classification}
        with torch.autocast(truth.device.type, enabled=False):
            mean = (log_probability.exp() @ network.centers).movedim(-1, 1) / 10
        lightness = functional.adaptive_avg_pool2d(batch.lightness, size)
        color = (self.color_weights[nearest_bin] * (mean - truth / 10).abs().mean(dim=1)).mean()
        cast = (mean - truth / 10).mean(dim=(2, 3)).abs().mean()
        smoothness = roughness(mean, lightness)
        loss = (
            classification + self.color_weight * color + self.cast_weight * cast + self.smoothness_weight * smoothness
        )
        return {
            "loss": loss,
            "classification": classification,
            "color": color,
            "cast": cast,
            "smoothness": smoothness,
        }

    def _reduced(self, batch: Batch, size: Sequence[int]) -> Tensor:
        """Return the true ab (B, 2, h, w) of each pixel of the output."""
        h, w = size
        if self.labels == "ab":
            return functional.adaptive_avg_pool2d(batch.ab, (h, w))
        return rgb_to_lab(functional.adaptive_avg_pool2d(batch.rgb, (h, w)))[:, 1:]

    def state(self) -> dict[str, Any]:
        return {"centers": self.centers, "counts": self.counts, "descent": self.optimization.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._learn_colors(state["centers"].cpu(), state["counts"].cpu())
        self.optimization.load(state["descent"])


def roughness(ab: Tensor, lightness: Tensor) -> Tensor:
    """Measure how much colors (B, 2, h, w) differ between neighbors that are alike in lightness (B, 1, h, w)."""
    total = ab.new_zeros(())
    for dim in (2, 3):
        alike = torch.exp(-lightness.diff(dim=dim).abs() / 5)
        total = total + (ab.diff(dim=dim).abs() * alike).mean()
    return total
