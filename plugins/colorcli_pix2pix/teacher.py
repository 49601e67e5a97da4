"""The teacher of a router: a pretrained classifier, fine-tuned to the categories (Hinton et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.encoders import EncoderTraining, GrayEncoder
from colorcli.training.optimization import Optimization, learning_rate_factor
from colorcli_pix2pix.categories import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_fabric import Fabric

_RATE, _ENCODER_RATE, _DECAY = 1e-3, 0.1, 0.02  # for AdamW; the rate of the encoder is a share of the other
_SOFTNESS = 2.0  # temperature of the teacher's distribution that the router learns


class Classifier(nn.Module):
    """Classifies pictures by the embedding of a pretrained encoder."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.encoder = GrayEncoder(encoder, embeds=True)
        self.categories = nn.Linear(self.encoder.dimensions, len(CATEGORIES))
        nn.init.zeros_(self.categories.weight)
        nn.init.zeros_(self.categories.bias)

    def forward(self, lightness: Tensor) -> Tensor:
        """Compute logits (B, categories) from L* (B, 1, H, W) in 0..100."""
        logits: Tensor = self.categories(self.encoder.embed(self.encoder(lightness)))
        return logits.float()


class Teacher:
    """A classifier that is trained first, and then supervises a router.

    Args:
        encoder: the name of a `colorcli.encoders.GrayEncoder`.
        pretrained: the source of its weights, see `colorcli.encoders.give_weights`.
    """

    def __init__(self, encoder: str, pretrained: str) -> None:
        self._encoder = EncoderTraining(pretrained, _ENCODER_RATE)
        self._classifier = Classifier(encoder)
        self._optimization = Optimization()

    def start(self, fabric: Fabric, steps: int) -> None:
        """Set up the training of the classifier, for a number of steps, and restore the state from `load`."""
        self._encoder.start(self._classifier)
        groups = self._encoder.groups(self._classifier, _RATE)
        optimizer = torch.optim.AdamW(groups, lr=_RATE, weight_decay=_DECAY)
        self._network = self._optimization.start(
            fabric, self._classifier, [optimizer], lambda progress: learning_rate_factor("cosine", progress), steps
        )

    def learn(self, lightness: Tensor, category: Tensor, label_smoothing: float) -> Tensor:
        """Take one step, and return the cross-entropy."""
        loss = functional.cross_entropy(
            self._network(lightness), category, ignore_index=-1, label_smoothing=label_smoothing
        )
        self._optimization.step(loss)
        return loss.detach()

    @torch.no_grad()
    def judge(self, lightness: Tensor) -> Tensor:
        """Compute logits (B, categories)."""
        logits: Tensor = self._network(lightness)
        return logits

    def distance(self, lightness: Tensor, logits: Tensor) -> Tensor:
        """Compute the divergence of a router's logits (B, categories) from the teacher's."""
        taught = (self.judge(lightness) / _SOFTNESS).softmax(dim=1)
        learned = (logits.float() / _SOFTNESS).log_softmax(dim=1)
        return functional.kl_div(learned, taught, reduction="batchmean") * _SOFTNESS**2

    def state(self) -> dict[str, Any]:
        """Return the state for `load`."""
        return {"classifier": self._classifier.state_dict(), "descent": self._optimization.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state`; call it before `start`."""
        self._classifier.load_state_dict(state["classifier"])
        self._optimization.load(state["descent"])
