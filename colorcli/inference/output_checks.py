"""Checks what a colorizer returns: a plugin may return anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.colorizer import Prediction
from colorcli.errors import PluginError
from colorcli.inference.transfer import download

CHROMA, ENTROPY, RGB = 2, 1, 3  # planes
_WHAT = {CHROMA: "chroma", ENTROPY: "entropy", RGB: "RGB"}


@dataclass(frozen=True)
class Finite:
    """Whether values are finite: known on the device, and downloaded only along with something else.

    Attributes:
        flag: () bool on the device.
        error: raised if they are not.
    """

    flag: Tensor
    error: PluginError


@dataclass(frozen=True)
class Planes:
    """What a colorizer predicted for a batch of pictures: planes of chroma, of entropy, or of RGB, for each.

    Attributes:
        values: (B, C, h, w) float32: ab, bits, or R'G'B'.
        notes: for each picture, what the colorizer reports about it.
        finite: whether the values are finite, for `verify`; None if they are known to be.
    """

    values: Tensor
    notes: Sequence[Mapping[str, str | float]]
    finite: Finite | None = None

    def verify(self, beside: Tensor | None = None) -> Sequence[float]:
        """Check that the values are finite, once a batch, when the device has computed them.

        Args:
            beside: (n,) float32 figures on the device to download with the answer, so that there is one wait for both.

        Returns:
            Those figures.

        Raises:
            PluginError: the values are not finite.
        """
        flags = [] if self.finite is None else [self.finite.flag.float()[None]]
        parts = [*([] if beside is None else [beside]), *flags]
        if not parts:
            return []
        figures: list[float] = download(torch.cat(parts)).tolist()
        if self.finite is not None and not figures.pop():
            raise self.finite.error
        return figures


def checked_planes(name: str, returned: object, lightness: Tensor, channels: int = CHROMA) -> Planes:
    """Check what `predict`, `sample`, `explain` or `paint` returned.

    Args:
        name: name of the model, for errors.
        returned: a tensor, or a Prediction.
        lightness: (B, 1, H, W), what the colorizer was given.
        channels: the number of planes expected: CHROMA, ENTROPY or RGB.

    Returns:
        Values on the device of `lightness`, and a note for each picture. On the CPU, the values are finite; elsewhere,
        `Planes.verify` checks that.

    Raises:
        PluginError: the colorizer returned anything else.
    """
    count = len(lightness)
    values, notes = (returned.ab, returned.notes) if isinstance(returned, Prediction) else (returned, [{}] * count)
    what = _WHAT[channels]
    expected = f"expected a tensor of shape ({count}, {channels}, h, w)"
    if not isinstance(values, Tensor):
        raise PluginError(f"{name} returned {type(values).__name__} as {what}; {expected}.")
    if values.ndim != 4 or values.shape[:2] != (count, channels) or not values.numel():
        raise PluginError(f"{name} returned {what} of shape {tuple(values.shape)}; {expected}.")
    if values.is_meta or values.is_complex():
        found = "without values, on the meta device" if values.is_meta else "of complex numbers"
        raise PluginError(f"{name} returned {what} {found}; {expected}.")
    values = values.to(lightness.device).float()
    checked = Planes(
        values,
        _checked_notes(name, notes, count),
        Finite(
            torch.isfinite(torch.stack(values.aminmax())).all(),  # which NaN would be, too; in a seventh of the time
            PluginError(f"{name} returned {what} that is not finite.", "Try --precision fp32."),
        ),
    )
    if values.device.type != "cpu":
        return checked
    checked.verify()
    return Planes(values, checked.notes)


def checked_colors(name: str, returned: object) -> Tensor:
    """Check what `likely_colors` returned.

    Args:
        name: name of the model, for errors.
        returned: (n, 3): a, b and the probability of each color.

    Returns:
        (n, 3) float32 on the CPU, the most likely color first.

    Raises:
        PluginError: the colorizer returned anything else.
    """
    expected = "expected a tensor of shape (n, 3): a, b and the probability of each"
    if not isinstance(returned, Tensor):
        raise PluginError(f"{name} returned {type(returned).__name__} as likely colors; {expected}.")
    if returned.ndim != 2 or returned.shape[1] != 3 or not len(returned):
        raise PluginError(f"{name} returned likely colors of shape {tuple(returned.shape)}; {expected}.")
    colors = returned.float().cpu()
    probabilities = colors[:, 2]
    if not torch.isfinite(colors).all() or probabilities.min() < 0 or probabilities.sum() > 1.01:
        raise PluginError(f"{name} returned probabilities of likely colors that are not from 0 to 1, or not finite.")
    return colors[probabilities.argsort(descending=True)]


def _checked_notes(name: str, notes: object, count: int) -> Sequence[Mapping[str, str | float]]:
    if not isinstance(notes, Sequence) or isinstance(notes, str):
        raise PluginError(
            f"{name} returned {type(notes).__name__} as notes; expected a list, a note for each picture."
        )
    if len(notes) != count:
        raise PluginError(f"{name} returned {len(notes)} notes for {count} pictures.")
    for note in notes:
        if not isinstance(note, Mapping):
            raise PluginError(f"{name} returned {type(note).__name__} as a note; expected a mapping.")
        for key, value in note.items():
            if not isinstance(key, str) or not isinstance(value, (str, int, float)):
                raise PluginError(
                    f"{name} returned the note {key!r}: {value!r}; expected text to text, or text to a number."
                )
    return notes
