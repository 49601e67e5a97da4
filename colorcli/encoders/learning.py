"""How a network with a trained encoder begins to learn, for recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from colorcli.encoders.gray import GrayEncoder
from colorcli.encoders.pretrained import give_weights

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "encoder."


def start_encoder(network: nn.Module, source: str, *, learns: bool, finest: int = 2) -> None:
    """Load pretrained weights into a network's `encoder`, unless it has some; a network without one stays as it is.

    Args:
        network: whose encoder.
        source: see `colorcli.encoders.give_weights`, which says what is raised.
        learns: whether it learns, too.
        finest: the stride at which it starts to learn, see `colorcli.encoders.GrayEncoder.learn`.
    """
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, GrayEncoder):
        return
    if not encoder.given:
        give_weights(encoder, source)
    encoder.learn(enabled=learns, finest=finest)


def parameter_groups(network: nn.Module, rate: float, encoder_rate: float) -> list[dict[str, Any]]:
    """Sort what learns into groups for an optimizer: the encoder at a share of the learning rate of all else."""
    learned = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    has_encoder = isinstance(getattr(network, "encoder", None), GrayEncoder)
    encoder = [p for name, p in learned if has_encoder and name.startswith(_PREFIX)]
    others = [p for name, p in learned if not (has_encoder and name.startswith(_PREFIX))]
    groups = [{"params": others, "lr": rate}, {"params": encoder, "lr": rate * encoder_rate}]
    return [group for group in groups if group["params"]]
