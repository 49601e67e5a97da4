"""A table of figures, which is never printed without its protocol."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADINGS = {
    "auc": "AuC raw %",
    "auc_rebalanced": "AuC rebalanced %",
    "rmse": "RMSE ab",
    "l1": "L1 ab",
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "colorfulness": "colorfulness",
    "colorfulness_delta": "delta",
}
_DECIMALS = {"ssim": 3}
_DEFINITIONS = (
    "AuC: mean share of pixels with an ab error of at most 0, 1, ... 150; rebalanced: a pixel of the set counts one "
    "over the published ImageNet share of the nearest of 313 bins of its true colour. RMSE: of the ab distance over "
    "all pixels; L1: mean over both channels. These are of the predicted chroma; the rest is of the joined picture, "
    "in gamut, mean of the pictures: PSNR and SSIM (11x11 Gaussian) over RGB, colorfulness of Hasler and Süsstrunk, "
    "signed, and its difference from the photographs'."
)


@dataclass(frozen=True)
class Table:
    """Figures by row, and how they came about.

    Attributes:
        rows: the figures of each row by name.
        count: how many photographs they are of.
        size: the square that they were scaled to.
        models: what each model's row stands for.
        versions: of the packages.
        grey: the names of photographs left out because they have no colour.
        unreadable: what was wrong with photographs left out because they cannot be read.
    """

    rows: Mapping[str, Mapping[str, float]]
    count: int
    size: int
    models: Mapping[str, str]
    versions: Mapping[str, str]
    grey: Sequence[str]
    unreadable: Sequence[str]

    def markdown(self, data: str, command: str) -> str:
        """Write the table and its protocol as Markdown.

        Args:
            data: the name of the set.
            command: the one that makes this table.
        """
        lines = [_line(["", *_HEADINGS.values()]), _line(["---", *["---:"] * len(_HEADINGS)])]
        lines += [_line([name, *_cells(figures)]) for name, figures in self.rows.items()]
        true = next(iter(self.rows.values()))["true_colorfulness"]
        left_out = len(self.grey) + len(self.unreadable)
        protocol = [
            f"{data}: {self.count} photographs at {self.size}x{self.size} (bicubic, antialiased); "
            f"true colorfulness {true:.1f}"
            + (
                f"; {left_out} left out ({len(self.grey)} grey, {len(self.unreadable)} unreadable)" if left_out else ""
            ),
            *(f"{name}: {description}" for name, description in self.models.items()),
            ", ".join(f"{package} {version}" for package, version in self.versions.items()),
            f"`{command}`",
            _DEFINITIONS,
        ]
        return "\n".join([*lines, "", *(f"- {line}" for line in protocol)])

    def json(self, data: str, command: str) -> str:
        """Write all of it as JSON; an infinite figure becomes null."""
        facts = {"data": data, "command": command, **asdict(self)}
        facts["rows"] = {
            name: {key: value if math.isfinite(value) else None for key, value in figures.items()}
            for name, figures in self.rows.items()
        }
        return json.dumps(facts, ensure_ascii=False, indent=2)


def _cells(figures: Mapping[str, float]) -> list[str]:
    return [f"{figures[key]:.{_DECIMALS.get(key, 1)}f}" for key in _HEADINGS]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
