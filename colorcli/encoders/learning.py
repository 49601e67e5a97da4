"""How a network with a trained encoder begins to learn, for recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from colorcli.encoders.gray import GrayEncoder
from colorcli.encoders.pretrained import give_weights

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "encoder."


class EncoderTraining:
    """How a recipe trains the `encoder` of a network; a network that has no `GrayEncoder` is trained as a whole.

    Args:
        pretrained: where its weights come from when a run begins, unless the weights that the run starts from have
            them, see `colorcli.encoders.give_weights`.
        rate: its learning rate, as a share of that of all else; 0 keeps it frozen.
        stride: the stride at which it starts to learn, see `colorcli.encoders.GrayEncoder.learn`; the layers of finer
            strides stay frozen.

    Raises:
        ValueError: the rate is negative.
    """

    def __init__(self, pretrained: str, rate: float = 0.0, stride: int = 2) -> None:
        if rate < 0:
            raise ValueError(f"encoder_rate must be 0 or more, got {rate}")
        self.rate = rate
        self._pretrained = pretrained
        self._stride = stride

    def start(self, network: nn.Module) -> None:
        """Load pretrained weights into the encoder, unless it has some, and choose which part of it learns.

        Raises:
            UsageError: the encoder does not have the stride, or the source of its weights does not exist.
            WeightsNotFound: the weights are not available.
            WeightsCorrupt: they are those of another network.
        """
        encoder = getattr(network, "encoder", None)
        if not isinstance(encoder, GrayEncoder):
            return
        if not encoder.given:
            give_weights(encoder, self._pretrained)
        encoder.learn(enabled=self.rate > 0, finest=self._stride)

    def groups(self, network: nn.Module, rate: float) -> list[dict[str, Any]]:
        """Sort what learns into groups for an optimizer: the encoder at its share of the learning rate of all else."""
        learned = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
        has_encoder = isinstance(getattr(network, "encoder", None), GrayEncoder)
        encoder = [p for name, p in learned if has_encoder and name.startswith(_PREFIX)]
        others = [p for name, p in learned if not (has_encoder and name.startswith(_PREFIX))]
        groups = [{"params": others, "lr": rate}, {"params": encoder, "lr": rate * self.rate}]
        return [group for group in groups if group["params"]]
