"""Figures for the temporal stability of a film's colors, and for their distance from the true ones.

Stability alone means nothing: gray is perfectly steady. Every figure is read beside that of the true film, whose
colors change as well, and beside the distance from it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from colorcli.color import lab_to_linear_in_gamut, linear_to_srgb
from colorcli.evaluation.metrics import formulas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

_APART = (1, 2, 4)  # frames
_RELATIVE, _ABSOLUTE = 0.01, 0.5  # in squared pixels (Sundaram, Brox and Keutzer 2010)
_LIGHTNESS = 8.0  # L*: points that differ more do not match


class FilmTally:
    """The figures of several versions of one film, one of them in true colors, accumulated frame by frame.

    The optical flow is Farnebäck's (2003), of the lightness. It is not the one that `colorcli.film` uses, because
    colors propagated along a flow must not be judged by the same flow.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._last: Plane | None = None

    def add(self, lightness: Plane, colorings: Mapping[str, Plane], *, begins_shot: bool = False) -> None:
        """Add one frame.

        Args:
            lightness: (1, h, w) L* in 0..100.
            colorings: the chroma (2, h, w) of each version by name; the names, one of which is "true", stay the same.
            begins_shot: do not compare this frame with the ones before it.
        """
        view = None if begins_shot or self._last is None else _flow_and_visibility(self._last, lightness[0])
        self._last = lightness[0]
        for name, ab in colorings.items():
            row = self._rows.setdefault(name, _Row())
            row.add(lightness, ab, colorings["true"], view)

    def figures(self) -> dict[str, dict[str, float]]:
        """Compute the figures of every version.

        * `warp_error`: mean squared distance in ab between matching points of consecutive frames (after Lai et al.
          2018, for chroma rather than RGB), where the flow is consistent in both directions; 0 or more;
        * `warp_ratio`: the same, as a multiple of the true film's;
        * `cdc`: color distribution consistency (Liu et al. 2021): the mean of `cdc_1`, `cdc_2` and `cdc_4`, the
          Jensen-Shannon divergences, to base 2, of the red, green and blue histograms of frames 1, 2 and 4 apart;
          0..1;
        * `rmse`: of ab, to the true film; `colorfulness`: the mean over the frames.

        Raises:
            ZeroDivisionError: no frame was added.
        """
        true = self._rows["true"].figures()["warp_error"] if self._rows else 0.0
        return {
            name: {**(found := row.figures()), "warp_ratio": found["warp_error"] / true if true else 0.0}
            for name, row in self._rows.items()
        }


class _Row:
    def __init__(self) -> None:
        self._last: Plane | None = None
        self._histograms: deque[NDArray[np.float64]] = deque(maxlen=max(_APART))
        self._warp_errors: list[float] = []
        self._divergences: dict[int, list[float]] = {apart: [] for apart in _APART}
        self._squares: list[float] = []
        self._colorfulness: list[float] = []

    def add(self, lightness: Plane, ab: Plane, true: Plane, view: tuple[Plane, NDArray[np.bool_]] | None) -> None:
        if view is None:
            self._histograms.clear()
        elif self._last is not None and view[1].any():
            self._warp_errors.append(warp_error(self._last, ab, *view))
        self._last = ab
        picture = linear_to_srgb(lab_to_linear_in_gamut(torch.from_numpy(lightness), torch.from_numpy(ab)))
        histogram = histograms((picture.clamp(0, 1) * 255).round().byte().numpy())
        for apart in _APART:
            if len(self._histograms) >= apart:
                self._divergences[apart].append(divergence(self._histograms[-apart], histogram))
        self._histograms.append(histogram)
        self._squares.append(float(np.square(ab - true).sum(axis=0).mean()))
        self._colorfulness.append(formulas.colorfulness(picture.clamp(0, 1)))

    def figures(self) -> dict[str, float]:
        apart = {f"cdc_{apart}": float(np.mean(found)) for apart, found in self._divergences.items() if found}
        return {
            "warp_error": float(np.mean(self._warp_errors)) if self._warp_errors else 0.0,
            "cdc": float(np.mean(list(apart.values()))) if apart else 0.0,
            **apart,
            "rmse": (sum(self._squares) / len(self._squares)) ** 0.5,
            "colorfulness": sum(self._colorfulness) / len(self._colorfulness),
        }


def warp_error(earlier: Plane, later: Plane, flow: Plane, visible: NDArray[np.bool_]) -> float:
    """Compute the mean squared distance between the chroma of consecutive frames along the flow, 0 or more.

    Args:
        earlier: (2, h, w) ab.
        later: (2, h, w) ab.
        flow: (h, w, 2) motion of each pixel from the earlier to the later frame, in pixels.
        visible: (h, w) whether the later frame also shows the pixel; at least one is True.
    """
    moved = np.stack([_warp(plane, flow) for plane in later])
    return float(np.square(moved - earlier).sum(axis=0)[visible].mean())


def histograms(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the histogram of each channel of (3, h, w): (3, 256), shares of the pixels."""
    counts = [np.bincount(channel.ravel(), minlength=256) for channel in picture]
    shares: NDArray[np.float64] = np.stack(counts) / picture[0].size
    return shares


def divergence(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Compute the Jensen-Shannon divergence of histograms (C, N) to base 2, mean over C: 0 if equal, 1 if disjoint."""
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(share > 0, share * np.log2(share / middle), 0).sum(axis=1) / 2 for share in (one, other)]
    return float(np.mean(terms[0] + terms[1]))


def _flow_and_visibility(earlier: Plane, later: Plane) -> tuple[Plane, NDArray[np.bool_]]:
    """Estimate the flow from an earlier frame (h, w) to a later one, and which of its pixels are still visible."""
    here, there = (np.rint(plane * 2.55).clip(0, 255).astype(np.uint8) for plane in (earlier, later))
    ahead, back = _flow(here, there), _flow(there, here)
    returned = np.dstack([_warp(back[..., axis], ahead) for axis in range(2)])
    lengths = np.square(ahead).sum(axis=-1) + np.square(returned).sum(axis=-1)
    agree = np.square(ahead + returned).sum(axis=-1) < _RELATIVE * lengths + _ABSOLUTE
    return ahead, agree & (np.abs(_warp(later, ahead) - earlier) < _LIGHTNESS)


def _flow(here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Plane:
    flow: Plane = cv2.calcOpticalFlowFarneback(here, there, None, 0.5, 4, 15, 3, 7, 1.5, 0)  # type: ignore[call-overload]
    return flow


def _warp(plane: Plane, flow: Plane) -> Plane:
    y, x = np.indices(plane.shape, np.float32)
    found: Plane = cv2.remap(
        plane, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )  # type: ignore[assignment]
    return found
