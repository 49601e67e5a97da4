"""Mixtures of models: the weighted mean of their chroma."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.colorizer import Colorizer, Option, declares
from colorcli.errors import UsageError
from colorcli.inference.model import Model
from colorcli.inference.output_checks import Planes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from colorcli.colorizer import OptionValue

_CERTAINTY = Option(
    "certainty", default=False, help="Each model counts where it is certain, if it predicts a distribution of colors."
)


@dataclass(frozen=True)
class Member:
    """A model with its share of a mixture, above 0; shares need not add up to 1."""

    model: Model
    share: float


class Mixture(Model):
    """Several models that predict together; the chroma is the mean of theirs, weighted by their shares.

    With the option `certainty`, the share of a model that predicts a distribution of colors is multiplied by 2 to the
    power of minus its entropy, place by place: the precision, one over the variance, of a normal distribution is
    proportional to that. The share of other models is multiplied by the mean of these factors over the picture.

    Args:
        members: members of the mixture, at least two.

    Raises:
        UsageError: a model is given twice.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        names = [member.model.name for member in members]
        if len(set(names)) < len(names):
            raise UsageError(
                f"A mixture must name each model once, got {'+'.join(names)}.",
                "Shares: zhang:0.7+iizuka:0.3.",
            )
        self.members = tuple(members)
        colorizer = _Mixed(self.members)
        facts = [(each.model.origin, each.model.fingerprint, each.model.size, each.share) for each in members]
        super().__init__(
            colorizer,
            nn.Identity(),
            members[0].model.device,
            tag="",
            fingerprint=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
            size=colorizer.side,
            note=" ".join(each.model.note for each in members if each.model.note),
        )

    def predict_planes(self, lightness: Tensor, **options: OptionValue) -> Planes:
        """Predict chroma with every model, and return the weighted mean."""
        values = self.options(options)
        certainty = bool(values.pop(_CERTAINTY.name, False))
        planes = [_predict(each.model, lightness, values) for each in self.members]
        for each in planes:
            each.verify()
        height, width = (max(each.values.shape[side] for each in planes) for side in (-2, -1))
        ab = torch.stack([_resized(each.values, (height, width)) for each in planes])  # (M, B, 2, h, w)
        shares = ab.new_tensor([each.share for each in self.members]).reshape(-1, 1, 1, 1, 1)
        if certainty:
            shares = shares * self._precisions(lightness, values, (height, width))
        mean = (ab * shares).sum(dim=0) / shares.sum(dim=0)
        by_picture = zip(*(each.notes for each in planes), strict=True)
        return Planes(mean, [_notes(self.members, notes) for notes in by_picture])

    def _precisions(self, lightness: Tensor, values: Mapping[str, OptionValue], size: tuple[int, int]) -> Tensor:
        """Compute the factors (M, B, 1, h, w) that `certainty` multiplies the shares by."""
        found: list[Tensor | None] = []
        for member in self.members:
            model = member.model
            if not declares(model.colorizer, "explain"):
                found.append(None)
                continue
            entropy = model.explain(_shown(model, lightness), **_own(model, values))
            found.append(torch.exp2(-_resized(entropy, size).clamp(min=0)))
        known = torch.stack([each for each in found if each is not None])
        elsewhere = known.mean(dim=(0, 2, 3, 4)).reshape(-1, 1, 1, 1).expand(known.shape[1:])
        return torch.stack([elsewhere if each is None else each for each in found])


class _Mixed(Colorizer):
    """What the host asks of a colorizer, for the members of a mixture together."""

    def __init__(self, members: Sequence[Member]) -> None:
        models = [each.model for each in members]
        equal = len({each.share for each in members}) == 1
        self.name = "+".join(each.model.name if equal else f"{each.model.name}:{each.share:g}" for each in members)  # type: ignore[misc]
        self.summary = f"The mean of {' and '.join(each.name for each in models)}."  # type: ignore[misc]
        free = [model.colorizer for model in models if model.size is None]
        self.multiple_of = math.lcm(*(colorizer.multiple_of for colorizer in free))  # type: ignore[misc]
        sides = [model.size for model in models if model.size is not None]
        self.side = -(-max(sides) // self.multiple_of) * self.multiple_of if sides else None
        longest = [colorizer.longest_side for colorizer in free if colorizer.longest_side is not None]
        self.longest_side = min(longest, default=None)  # type: ignore[misc]
        own = [
            replace(option, name=f"{model.name}.{option.name}", default=model.options({})[option.name])
            for model in models
            for option in model.colorizer.options
        ]
        certain = any(declares(model.colorizer, "explain") for model in models)
        self.options = (*own, *([_CERTAINTY] if certain else []))  # type: ignore[misc]

    def build(self, *_arguments: Any, **_network: Any) -> nn.Module:
        """Refuse: its members are built already."""
        raise NotImplementedError

    def predict(self, *_arguments: Any, **_options: Any) -> Tensor:
        """Refuse: `Mixture` asks its members."""
        raise NotImplementedError


def _predict(model: Model, lightness: Tensor, values: Mapping[str, OptionValue]) -> Planes:
    return model.predict_planes(_shown(model, lightness), **_own(model, values))


def _own(model: Model, values: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    return {option.name: values[f"{model.name}.{option.name}"] for option in model.colorizer.options}


def _shown(model: Model, lightness: Tensor) -> Tensor:
    """Reduce lightness to the size that a model works at."""
    if model.size is None or lightness.shape[-2:] == (model.size, model.size):
        return lightness
    return functional.interpolate(lightness, (model.size, model.size), mode="bilinear", antialias=True)


def _resized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    return planes if planes.shape[-2:] == size else functional.interpolate(planes, size, mode="bicubic")


def _notes(members: Sequence[Member], notes: Sequence[Mapping[str, str | float]]) -> dict[str, str | float]:
    return {
        f"{member.model.name}: {key}": value
        for member, note in zip(members, notes, strict=True)
        for key, value in note.items()
    }
