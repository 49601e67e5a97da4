"""What teaches a router beside the labels: a trained classifier, fine-tuned to the categories (Hinton et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.encoders import GrayEncoder, parameter_groups, start_encoder
from colorcli.training.optimization import Descent, learning_rate_factor
from colorcli_pix2pix.categories import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_fabric import Fabric

_RATE, _ENCODER_RATE, _DECAY = 1e-3, 0.1, 0.02  # of AdamW; the encoder's as a share
_SOFTNESS = 2.0  # temperature at which the router is told what the teacher thinks


class Classifier(nn.Module):
    """Tells the categories apart by the embedding of a trained encoder."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.encoder = GrayEncoder(encoder, embeds=True)
        self.categories = nn.Linear(self.encoder.dimensions, len(CATEGORIES))
        nn.init.zeros_(self.categories.weight)
        nn.init.zeros_(self.categories.bias)

    def forward(self, lightness: Tensor) -> Tensor:
        """Turn L* (B, 1, H, W) in 0..100 into logits (B, categories)."""
        logits: Tensor = self.categories(self.encoder.embed(self.encoder(lightness)))
        return logits.float()


class Teacher:
    """A classifier that learns first and teaches then.

    Args:
        encoder: of the classifier, as `colorcli.encoders.GrayEncoder` has it.
        pretrained: where its weights come from, see `colorcli.encoders.give_weights`.
    """

    def __init__(self, encoder: str, pretrained: str) -> None:
        self._pretrained = pretrained
        self._classifier = Classifier(encoder)
        self._descent = Descent()

    def start(self, fabric: Fabric, steps: int) -> None:
        """Get ready to learn for so many steps; what `load` brought is kept."""
        start_encoder(self._classifier, self._pretrained, learns=True)
        groups = parameter_groups(self._classifier, _RATE, _ENCODER_RATE)
        optimizer = torch.optim.AdamW(groups, lr=_RATE, weight_decay=_DECAY)
        self._network = self._descent.start(
            fabric, self._classifier, [optimizer], lambda progress: learning_rate_factor("cosine", progress), steps
        )

    def learn(self, lightness: Tensor, category: Tensor, label_smoothing: float) -> Tensor:
        """Make one step; returns the cross-entropy."""
        loss = functional.cross_entropy(
            self._network(lightness), category, ignore_index=-1, label_smoothing=label_smoothing
        )
        self._descent.step(loss)
        return loss.detach()

    @torch.no_grad()
    def judge(self, lightness: Tensor) -> Tensor:
        """Give logits (B, categories)."""
        logits: Tensor = self._network(lightness)
        return logits

    def distance(self, lightness: Tensor, logits: Tensor) -> Tensor:
        """Say how far a router's logits (B, categories) are from the teacher's: their divergence."""
        taught = (self.judge(lightness) / _SOFTNESS).softmax(dim=1)
        said = (logits.float() / _SOFTNESS).log_softmax(dim=1)
        return functional.kl_div(said, taught, reduction="batchmean") * _SOFTNESS**2

    def state(self) -> dict[str, Any]:
        """Give all that `load` needs."""
        return {"classifier": self._classifier.state_dict(), "descent": self._descent.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, before `start`."""
        self._classifier.load_state_dict(state["classifier"])
        self._descent.load(state["descent"])
