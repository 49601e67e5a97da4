"""The training of a generator: an adversarial loss, and the distance to the true colors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.encoders import EncoderTraining
from colorcli.errors import UsageError
from colorcli.training.optimization import ChromaWeight, Schedule, expect_one_of, learning_rate_factor
from colorcli_pix2pix.discriminator import PatchDiscriminator
from colorcli_pix2pix.dynamic_unet import DynamicUnet
from colorcli_pix2pix.encoder_network import EncodedGenerator
from colorcli_pix2pix.spaces import encode_color, encode_gray
from colorcli_pix2pix.unet import UnetGenerator

Keep = Literal["best", "last"]


class GanRecipe(Recipe):
    """The losses of Isola et al. 2017, equations 1 to 4, and their two optimizers.

    The losses by name, in step as in validation:

    * `generator`: the generator's total, `adversarial` + `l1`.
    * `adversarial`: how well the discriminator sees through it, the "GAN plain loss" of the Edinburgh paper.
    * `l1`: l1_weight times the mean distance to the true chroma in -1..1, as the paper's tables have it.
    * `discriminator`: the discriminator's own, in step alone.

    Args:
        l1_weight: lambda of equation 4.
        chroma_weight: a pixel's distance counts 1 + chroma_weight |ab| / 50 times, over the mean of that in the data,
            to favor saturated colors, which are rare; 0, as in the paper, for equal weights.
        learning_rate: highest learning rate of both optimizers.
        pretrained: where an encoder's weights come from when a run begins, unless the weights that it starts from have
            them, see `colorcli.encoders.give_weights`.
        encoder_rate: the encoder's learning rate, as a share of that of all else; 0 keeps it frozen.
        encoder_stride: the stride at which the encoder starts to learn; the layers of finer strides stay frozen.
        betas: betas of Adam, likewise.
        schedule: as in `colorcli.training.optimization`: `constant`, `steps`, or `cosine` after a short warm-up.
        discriminator_width: channels of its first layer.
        warm_up: share of the run, at its beginning, in which the generator learns from the distance alone and the
            discriminator does not learn.
        keep: `best` keeps the weights with the lowest total loss of the generator. Totals of different epochs belong
            to different discriminators, though; `last` keeps the last weights.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        *,
        l1_weight: float = 100.0,
        chroma_weight: float = 0.0,
        learning_rate: float = 2e-4,
        pretrained: str = "published",
        encoder_rate: float = 0.0,
        encoder_stride: int = 2,
        betas: tuple[float, float] = (0.5, 0.999),
        schedule: Schedule = "constant",
        discriminator_width: int = 64,
        warm_up: float = 0.0,
        keep: Keep = "best",
    ) -> None:
        expect_one_of("schedule", schedule, Schedule)
        expect_one_of("keep", keep, Keep)
        if l1_weight < 0 or discriminator_width < 1 or not 0 <= warm_up < 1:
            raise ValueError("l1_weight must be 0 or more, discriminator_width 1 or more, and warm_up in 0..1")
        self.l1_weight = l1_weight
        self.weight = ChromaWeight(chroma_weight)
        self.learning_rate = learning_rate
        self.encoder = EncoderTraining(pretrained, encoder_rate, encoder_stride)
        self.betas = betas
        self.schedule = schedule
        self.discriminator_width = discriminator_width
        self.warm_up = warm_up
        self.keep = keep
        self.done = 0  # steps
        self._saved: Mapping[str, Any] = {}

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Find the mean weight of a pixel, where chroma counts."""
        self.weight.survey(colors)
        return {}

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Make the discriminator, and an optimizer for each of the two.

        Raises:
            UsageError: the network is not a single generator.
        """
        if not isinstance(network, (UnetGenerator, DynamicUnet, EncodedGenerator)):
            raise UsageError(
                "The GAN recipe of pix2pix trains one generator.",
                'Write kind = "generator" in [network]; an ensemble is trained in stages, see docs/recipes.md.',
            )
        self.fabric = fabric
        self.steps = steps
        self.space = network.space
        self.judge = PatchDiscriminator(self.discriminator_width)
        if self._saved:
            self.judge.load_state_dict(self._saved["discriminator"])
        self.network: nn.Module
        self.discriminator: nn.Module  # the judge, as Fabric wants it called where it learns
        self.optimizers: list[torch.optim.Optimizer] = []
        self.encoder.start(network)
        self.network, optimizer = fabric.setup(network, self._adam(network))
        self.discriminator, other = fabric.setup(self.judge, self._adam(self.judge))
        self.optimizers = [optimizer, other]
        for each, saved in zip(self.optimizers, self._saved.get("optimizers", ()), strict=False):
            each.load_state_dict(saved)
        self._saved = {}
        return self.network

    def _adam(self, network: nn.Module) -> torch.optim.Optimizer:
        groups = self.encoder.groups(network, self.learning_rate)
        for group in groups:
            group["highest"] = group["lr"]
        return torch.optim.Adam(groups, betas=self.betas)

    @property
    def progress(self) -> float:
        """How much of the run is done, in 0..1."""
        return self.done / self.steps

    def step(self, batch: Batch) -> dict[str, Tensor]:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * learning_rate_factor(self.schedule, self.progress)
        gray, true = self._encoded(batch)
        made = self.network(gray)
        l1 = self._distance(made, true, batch.ab)
        if self.progress < self.warm_up:
            losses = {"generator": l1, "l1": l1}
        else:
            discriminator = self._teach_discriminator(gray, made.detach(), true)
            adversarial = self._adversarial(gray, made)
            losses = {
                "generator": adversarial + l1,
                "adversarial": adversarial,
                "l1": l1,
                "discriminator": discriminator,
            }
        self._learn(self.optimizers[0], losses["generator"])
        self.done += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def _encoded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the input of the generator, (B, 1, s, s), and its target, (B, 2, s, s)."""
        return encode_gray(batch.lightness, self.space), encode_color(batch.rgb, batch.ab, self.space)

    def _teach_discriminator(self, gray: Tensor, made: Tensor, true: Tensor) -> Tensor:
        self.optimizers[1].zero_grad(set_to_none=True)
        total = gray.new_zeros(())
        for chroma, is_true in ((made, False), (true, True)):
            loss = _cross_entropy(self.discriminator(gray, chroma), is_true=is_true) / 2
            self.fabric.backward(loss)
            total += loss.detach()
        self.optimizers[1].step()
        return total

    def _adversarial(self, gray: Tensor, made: Tensor) -> Tensor:
        """Compute the adversarial loss: how far the discriminator is from classifying the output as real."""
        self.judge.requires_grad_(requires_grad=False)
        with self.fabric.autocast():
            logits = self.judge(gray, made)
        self.judge.requires_grad_(requires_grad=True)
        return _cross_entropy(logits, is_true=True)

    def _distance(self, made: Tensor, true: Tensor, ab: Tensor) -> Tensor:
        weight = self.weight(ab)
        return self.l1_weight * (weight * (made.float() - true).abs()).mean()

    def _learn(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        optimizer.step()

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Judge a generator by the discriminator as it is now, in eval mode."""
        gray, true = self._encoded(batch)
        made = network(gray).float()
        l1 = self._distance(made, true, batch.ab)
        adversarial = _cross_entropy(self.judge.eval()(gray, made), is_true=True)
        self.judge.train()
        return {"generator": adversarial + l1, "adversarial": adversarial, "l1": l1}

    def score(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        losses = super().score(means)
        return losses if self.keep == "best" else {"share left": 1 - self.progress, **losses}

    def state(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "mean_weight": self.weight.mean,
            "discriminator": self.judge.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.done, self.weight.mean = state["done"], state["mean_weight"]
        self._saved = state


def _cross_entropy(logits: Tensor, *, is_true: bool) -> Tensor:
    logits = logits.float()
    target = torch.ones_like(logits) if is_true else torch.zeros_like(logits)
    return functional.binary_cross_entropy_with_logits(logits, target)
