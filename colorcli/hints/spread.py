"""Spreading hints over a prediction: what each hint changes flows to similar places around it.

Places are similar if no edge of lightness lies between them, and if they are about as light and the model would color
them alike: it probably makes the same mistake in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import lab_to_rgb, rgb_to_lab
from colorcli.hints.hint import hex_color
from colorcli.hints.solver import GridSystem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.hints.hint import RGB, Hint

LONGEST_SIDE = 256
"""Pixels of the grid that hints spread on: the time to prepare a picture grows with the fourth power."""

_FALLOFF = 4.0  # L*
_EDGE = 8.0  # L* between neighbors that a hint's disc does not go across
_REACHED = 2  # in masks, where 0 is free and 1 is not
_PULL = 1e-4  # pull toward the prediction, in units of the bond between equal neighbors
_WIDTH = (30.0, 30.0, 30.0)  # standard deviations of the similarity, in L*, a and b
_SOFTNESS = 0.01  # how far a place may stay from its hint
_MAX_PLACES = 150  # places to solve for; what is painted beside them has its color anyway
_FAITHFUL = 0.9  # share of a hint's chroma that may be lost without saying so


@dataclass(frozen=True)
class FittedHint:
    """What became of a hint's color at its place.

    Attributes:
        hint: the given hint.
        rgb: sRGB 0..255 that the place gets: of the picture's lightness there, in gamut.
        lightness: lightness of the picture at that place, L* in 0..100.
        kept: share of the hint's chroma that is left, 0..1.
    """

    hint: Hint
    rgb: RGB
    lightness: float
    kept: float

    def __str__(self) -> str:
        """Describe it: `#b03020 at 30%,45% becomes #d98a7c`; with a reason where much of its chroma is lost."""
        place = str(self.hint).partition("=")[0]
        text = f"{hex_color(self.hint.rgb)} at {place} becomes {hex_color(self.rgb)}"
        if self.kept >= _FAITHFUL:
            return text
        tone = "light" if self.lightness > 50 else "dark"
        return f"{text}, paler because the picture is too {tone} there"


class Spreader:
    """Spreads hints over predictions for one picture. Build it once; another hint then takes about 90 ms.

    The difference between the hints and the prediction is what spreads, so that a prediction stays as it is where no
    hint reaches, and an edge of lightness stops it. Everything is computed on the CPU, alike for every device.

    Args:
        lightness: (1, 1, H, W), L* in 0..100 of the whole picture, in its own proportions; it is scaled down to
            LONGEST_SIDE if it is larger.
    """

    def __init__(self, lightness: Tensor) -> None:
        lightness = lightness.float().cpu()
        if (longest := max(lightness.shape[-2:])) > LONGEST_SIDE:
            size = [max(1, round(side * LONGEST_SIDE / longest)) for side in lightness.shape[-2:]]
            lightness = functional.interpolate(lightness, size, mode="bilinear", antialias=True)
        self._lightness = lightness
        self._system: GridSystem | None = None
        self._responses: dict[int, Tensor] = {}

    def fit(self, hint: Hint) -> FittedHint:
        """Bring a hint's color to the picture's lightness at its center, and into gamut."""
        row, column = center_of(hint, self._lightness)
        lightness = self._lightness[0, 0, row, column].reshape(1, 1, 1, 1)
        asked = chroma_of_rgb(hint.rgb)
        rgb = lab_to_rgb(lightness, asked)
        kept = rgb_to_lab(rgb)[:, 1:].norm() / asked.norm().clamp_min(1e-6)
        red, green, blue = (rgb.flatten() * 255).round().int().tolist()
        return FittedHint(hint, (red, green, blue), lightness.item(), min(1.0, kept.item()))

    @torch.inference_mode()
    def spread(self, ab: Tensor, hints: Sequence[Hint]) -> Tensor:
        """Change a prediction so that it has the colors of the hints.

        Args:
            ab: (1, 2, h, w), predicted for this picture; of any size and proportions.
            hints: the later ones win where they overlap.

        Returns:
            (1, 2, h', w') ab on the device of `ab`; its size, or that of the grid if that is larger.
        """
        if not hints:
            return ab
        size = self._lightness.shape[-2:]
        larger = [max(sides) for sides in zip(size, ab.shape[-2:], strict=True)]
        enlarged = _enlarged(ab.float(), larger)
        on_grid = functional.interpolate(enlarged, size, mode="bilinear", antialias=True).cpu()
        wanted, painted = paint_hints(self._lightness, hints)
        asked = wanted - on_grid
        centers = [center_of(hint, self._lightness) for hint in hints]
        seen = torch.cat([self._lightness, on_grid], dim=1)
        difference = torch.where(painted, asked, self._spread(asked, _thinned(painted, centers, _MAX_PLACES), seen))
        return enlarged + _enlarged(difference.to(ab.device), larger)

    def _spread(self, asked: Tensor, pinned: Tensor, seen: Tensor) -> Tensor:
        """Spread differences (1, 2, H, W) from the places where they are pinned, (H, W) bool, to all.

        By Woodbury's formula, one factorization serves all hints: it gives the effect of a pull at a place on the
        picture, and the pulls are chosen such that the pinned places become what they are asked to be. What a pull
        does is less where the picture, `seen` as Lab (1, 3, H, W) before the hints, differs from the place. The
        product of two such kernels is one, too, so that the pulls still exist.
        """
        places = pinned.flatten().nonzero()[:, 0]
        responses = self._responses_to(places.tolist()).mul_(_alike(seen, places))  # (n, H * W)
        gram = responses[:, places].double()
        gram = (gram + gram.T) / 2 + _SOFTNESS * torch.eye(len(places), dtype=torch.float64)
        pulls = torch.linalg.solve(gram, asked.flatten(2)[0, :, places].double().T)  # (n, 2)
        difference: Tensor = pulls.float().T @ responses
        return difference.view_as(asked)

    def _responses_to(self, places: Sequence[int]) -> Tensor:
        """Return what a unit pull at each place does to the picture; those of the last call are kept."""
        if self._system is None:
            self._system = GridSystem(self._lightness[0, 0], _FALLOFF, _PULL)
        self._responses = {place: self._responses[place] for place in places if place in self._responses}
        new = [place for place in places if place not in self._responses]
        if new:
            units = torch.zeros(len(new), self._lightness.numel())
            units[range(len(new)), new] = 1
            solved = self._system.solve(units.view(len(new), *self._lightness.shape[-2:]))
            self._responses |= zip(new, solved.flatten(1), strict=True)
        return torch.stack([self._responses[place] for place in places])


def _alike(seen: Tensor, places: Tensor) -> Tensor:
    """Return how similar a picture (1, 3, H, W) Lab is to some of its places, (n,): 0..1, (n, H * W)."""
    scaled = seen.flatten(2)[0].T / torch.tensor(_WIDTH)  # (H * W, 3)
    length = scaled.square().sum(dim=1) / 2
    exponent = scaled[places] @ scaled.T
    return exponent.sub_(length).sub_(length[places, None]).clamp_max_(0).exp_()


def paint_hints(lightness: Tensor, hints: Sequence[Hint]) -> tuple[Tensor, Tensor]:
    """Paint the discs of hints, each as far as its center's side of every edge goes.

    Args:
        lightness: (1, 1, H, W), L* in 0..100 of the whole picture, on the CPU.
        hints: the later ones win where they overlap.

    Returns:
        Their ab (1, 2, H, W) in gamut, 0 elsewhere, and where they are: (H, W) bool.
    """
    height, width = lightness.shape[-2:]
    longest = max(height, width)
    ab = torch.zeros(1, 2, height, width)
    painted = torch.zeros(height, width, dtype=torch.bool)
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    for hint in hints:
        center = center_of(hint, lightness)
        disc = torch.hypot(rows - hint.y * height, columns - hint.x * width) <= hint.radius * longest
        disc[center] = True
        disc = _reached(lightness, disc, center)
        below = lightness[:, :, disc][..., None]  # (1, 1, n, 1)
        asked = chroma_of_rgb(hint.rgb).expand(1, 2, *below.shape[-2:])
        ab[:, :, disc] = rgb_to_lab(lab_to_rgb(below, asked))[:, 1:, :, 0]
        painted |= disc
    return ab, painted


def center_of(hint: Hint, lightness: Tensor) -> tuple[int, int]:
    """Return the row and column of a hint's center in a picture (..., H, W)."""
    height, width = lightness.shape[-2:]
    return min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)


def _reached(lightness: Tensor, disc: Tensor, center: tuple[int, int]) -> Tensor:
    """Return the part of a disc (H, W) that is on the same side of every edge as its center."""
    mask = np.pad((~disc).numpy().astype(np.uint8), 1, constant_values=1)
    flags = 8 | cv2.FLOODFILL_MASK_ONLY | _REACHED << 8
    cv2.floodFill(lightness[0, 0].numpy(), mask, center[::-1], 0, _EDGE, _EDGE, flags)
    return torch.from_numpy(mask[1:-1, 1:-1] == _REACHED)


def chroma_of_rgb(rgb: RGB) -> Tensor:
    """Return the ab of an sRGB color 0..255: (1, 2, 1, 1)."""
    color = torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1) / 255
    return rgb_to_lab(color)[:, 1:]


def _thinned(painted: Tensor, centers: Sequence[tuple[int, int]], most: int) -> Tensor:
    """Return some of the painted places (H, W), evenly spaced: at most `most`, including the centers of all hints."""
    kept = torch.zeros_like(painted)
    kept[tuple(zip(*centers, strict=True))] = True
    for step in range(1, max(painted.shape)):
        lattice = torch.zeros_like(painted)
        lattice[step // 2 :: step, step // 2 :: step] = True
        if int((thinned := kept | (painted & lattice)).sum()) <= most:
            return thinned
    return kept


def _enlarged(planes: Tensor, size: Sequence[int]) -> Tensor:
    return planes if list(planes.shape[-2:]) == list(size) else functional.interpolate(planes, size, mode="bicubic")
