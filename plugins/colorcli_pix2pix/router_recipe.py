"""How the router learns: by classification, keeping the weights with the best macro F1."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from colorcli import Batch, Recipe
from colorcli.errors import DataError, UsageError
from colorcli.training.optimization import Optimization, Schedule, expect_one_of, learning_rate_factor
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.resnet import ResNet34
from colorcli_pix2pix.teacher import Teacher


class RouterRecipe(Recipe):
    """Cross-entropy and SGD, as in section 4.2 of the Edinburgh paper; optionally taught by a larger classifier, too.

    Args:
        learning_rate: highest learning rate.
        momentum: momentum of SGD.
        weight_decay: weight decay of SGD, added to the gradient.
        schedule: as in `colorcli.training.optimization`: `constant`, `steps`, or `cosine` after a short warm-up.
        label_smoothing: share of the truth that is spread over all categories in training.
        teacher: the encoder of a classifier that the router learns from, see `colorcli_pix2pix.teacher`; empty: none.
        teaching: share of the run at its beginning in which the teacher learns, and the router does not.
        pretrained: where the weights of the teacher's encoder come from, see `colorcli.encoders.give_weights`.
        trust: weight of the teacher's answers relative to the labels, 0..1.

    Raises:
        ValueError: a setting is invalid.
    """

    paints: ClassVar[bool] = False

    def __init__(
        self,
        *,
        learning_rate: float = 7.5e-4,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        label_smoothing: float = 0.0,
        teacher: str = "",
        teaching: float = 0.2,
        pretrained: str = "published",
        trust: float = 0.7,
    ) -> None:
        expect_one_of("schedule", schedule, Schedule)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in 0..1, got {label_smoothing}")
        if not 0 < teaching < 1 or not 0 <= trust <= 1:
            raise ValueError("teaching and trust must be in 0..1")
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.teacher = Teacher(teacher, pretrained) if teacher else None
        self.teaching = teaching
        self.trust = trust
        self.done = 0  # steps
        self.optimization = Optimization()

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Check that the categories of the data are those of the ensemble."""
        if tuple(categories) != CATEGORIES:
            missing = ", ".join(sorted(set(CATEGORIES) - set(categories)))
            unknown = ", ".join(sorted(set(categories) - set(CATEGORIES)))
            found = [f"{missing} missing"] if missing else []
            found += [f"{unknown} unknown"] if unknown else []
            raise DataError(
                f"The router of pix2pix needs exactly its {len(CATEGORIES)} categories: {'; '.join(found)}.",
                f"Put the pictures into folders named {', '.join(CATEGORIES)}.",
            )
        return {}

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Make the optimizer.

        Raises:
            UsageError: the network is not a router.
        """
        if not isinstance(network, ResNet34):
            raise UsageError(
                "The router recipe of pix2pix trains a router.", 'Write kind = "router" in [network] of the recipe.'
            )
        factor = partial(learning_rate_factor, self.schedule)
        self.taught = round(steps * self.teaching) if self.teacher else 0
        if self.teacher:
            self.teacher.start(fabric, self.taught)
        self.network = self.optimization.start(fabric, network, [self._sgd(network)], factor, steps - self.taught)
        return self.network

    def _sgd(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            network.parameters(), lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train the teacher during its share of the run, and then the router."""
        self.done += 1
        if self.teacher and self.done <= self.taught:
            return {"cross entropy": self.teacher.learn(batch.lightness, batch.category, self.label_smoothing)}
        logits = self.network(batch.lightness)
        loss = entropy = _cross_entropy(logits, batch.category, self.label_smoothing)
        if self.teacher:
            loss = (1 - self.trust) * entropy + self.trust * self.teacher.distance(batch.lightness, logits)
        self.optimization.step(loss)
        return {"cross entropy": entropy.detach()}

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Count what is taken for what.

        Returns:
            The cross-entropy, and the confusion matrix (C, C) in shares of the batch: rows are the truth. That of the
            teacher, too, if there is one.
        """
        logits = network(batch.lightness).float()
        means = {
            "cross entropy": _cross_entropy(logits, batch.category),
            "confusion": _confusion(logits, batch.category),
        }
        if self.teacher:
            means["teacher's confusion"] = _confusion(self.teacher.judge(batch.lightness), batch.category)
        return means

    def score(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        confusion = means["confusion"]
        figures = {
            "one minus macro F1": 1 - macro_f1(confusion),
            "cross entropy": means["cross entropy"].item(),
            "accuracy": (confusion.trace() / confusion.sum()).item(),
        }
        if self.teacher:
            figures["teacher's macro F1"] = macro_f1(means["teacher's confusion"])
        return figures

    def state(self) -> dict[str, Any]:
        taught = {"done": self.done, "teacher": self.teacher.state()} if self.teacher else {}
        return {**self.optimization.state(), **taught}

    def load(self, state: Mapping[str, Any]) -> None:
        self.optimization.load(state)
        if self.teacher:
            self.done = state["done"]
            self.teacher.load(state["teacher"])


def _confusion(logits: Tensor, category: Tensor) -> Tensor:
    """Count what is taken for what: (C, C) in shares of the batch, rows the truth."""
    known = category >= 0
    count = len(CATEGORIES)
    cells = (category * count + logits.argmax(dim=1))[known].bincount(minlength=count**2)
    return cells.view(count, count).float() / len(known)


def macro_f1(confusion: Tensor) -> float:
    """Average over the categories the harmonic mean of precision and recall; 0..1, and 1 is perfect.

    Args:
        confusion: (C, C), counts or shares, rows the truth and columns what it was taken for. A category that neither
            occurs nor was ever answered counts for nothing.
    """
    occurring = confusion.sum(dim=0) + confusion.sum(dim=1)  # twice the true positives and all errors
    f1 = 2 * confusion.diagonal() / occurring
    return f1[occurring > 0].mean().item()


def _cross_entropy(logits: Tensor, category: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Average over all pictures, whether or not they have a category: so batches may be averaged."""
    total = functional.cross_entropy(
        logits.float(), category, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing
    )
    return total / len(category)
