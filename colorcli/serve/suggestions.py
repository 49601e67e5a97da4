"""The palette of a place: a few colors that it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import lab_to_rgb
from colorcli.colorizer import declares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.inference.pipeline import Pipeline
    from colorcli.serve.album import OpenPicture

_MAX_COLORS = 10  # colors of a palette
_DISTINCT = 18.0  # ab between the colors of a palette
_MIN_PROBABILITY = 0.004  # probability of a color
_SIMILAR = 15.0  # L*: places of such a difference count less, where the palette is from the picture
_SIDE = 48  # pixels that the picture is reduced to for that


def suggest(picture: OpenPicture, pipeline: Pipeline, chroma: Tensor, place: tuple[float, float]) -> dict[str, Any]:
    """Suggest colors for a place, the most likely first.

    They are those of the model's distribution, where it has one. Otherwise they are the color that the place has now,
    then colors of the picture, those of a similar lightness first.

    Args:
        picture: a picture in memory.
        pipeline: model and settings.
        chroma: (1, 2, h, w) ab that the picture has now.
        place: x and y, 0..1.

    Returns:
        `source`, "model" or "picture", and `colors`: for each its `color` as #rrggbb, at the lightness of the place,
        and its `share`, the probability, or None.
    """
    seen = picture.lightness(pipeline)
    lightness = _at(seen, place)
    if declares(pipeline.model.colorizer, "likely_colors"):
        colors = pipeline.model.likely_colors(seen, place, **pipeline.options)
        found = [(ab, share) for ab, share in _distinct(colors) if share >= _MIN_PROBABILITY]
        return {"source": "model", "colors": _shown(lightness, found)}
    small = functional.interpolate(chroma.float().cpu(), (_SIDE, _SIDE), mode="area").flatten(2)[0].T
    tones = functional.interpolate(seen.float().cpu(), (_SIDE, _SIDE), mode="area").flatten()
    weights = torch.exp(-(((tones - lightness) / _SIMILAR) ** 2))
    weights = weights / weights.sum().clamp_min(1e-12)
    colors = torch.cat([small, weights[:, None]], dim=1)[weights.argsort(descending=True)]
    here = torch.cat([_at(chroma, place), torch.ones(1)])[None]  # more than all others together
    return {
        "source": "picture",
        "colors": _shown(lightness, [(ab, None) for ab, _ in _distinct(torch.cat([here, colors]))]),
    }


def _at(planes: Tensor, place: tuple[float, float]) -> Tensor:
    """Return the values (C,) of planes (1, C, h, w) at a place."""
    height, width = planes.shape[-2:]
    x, y = place
    return planes[0, :, min(int(y * height), height - 1), min(int(x * width), width - 1)].float().cpu()


def _distinct(colors: Tensor) -> list[tuple[Tensor, float]]:
    """Merge similar colors.

    Args:
        colors: (n, 3) of a, b and weight.

    Returns:
        The mean ab (2,) and the weight of each group, the largest first.
    """
    groups: list[Tensor] = []  # (a, b, weight) of each
    for color in colors:
        distances = [float((group[:2] - color[:2]).norm()) for group in groups]
        if distances and min(distances) < _DISTINCT:
            nearest = groups[distances.index(min(distances))]
            weight = nearest[2] + color[2]
            nearest[:2] += (color[:2] - nearest[:2]) * (color[2] / weight.clamp_min(1e-12))
            nearest[2] = weight
        else:
            groups.append(color.clone())
    groups.sort(key=lambda group: -float(group[2]))
    return [(group[:2], float(group[2])) for group in groups[:_MAX_COLORS]]


def _shown(lightness: Tensor, colors: Sequence[tuple[Tensor, float | None]]) -> list[dict[str, Any]]:
    """Write colors as #rrggbb at the lightness of the place, in gamut."""
    shown: dict[str, float | None] = {}
    for ab, share in colors:
        rgb = (lab_to_rgb(lightness.view(1, 1, 1), ab.view(2, 1, 1)).flatten() * 255).round().int().tolist()
        shown.setdefault("#{:02x}{:02x}{:02x}".format(*rgb), share)
    return [{"color": color, "share": None if share is None else round(share, 4)} for color, share in shown.items()]
