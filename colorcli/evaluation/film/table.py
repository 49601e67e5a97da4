"""The table of films: each by itself, and the mean of all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from colorcli.errors import DataError, MediaError
from colorcli.evaluation.film.evaluate import evaluate_film
from colorcli.evaluation.photographs import Evaluation
from colorcli.evaluation.tables import Column, Figure, Section, Table
from colorcli.media.films import SUFFIXES, is_film

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from colorcli.errors import ColorcliError
    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline

_COLUMNS = (
    Column("warp_error", "warp error", 2),
    Column("warp_ratio", "of the true", 2),
    Column("cdc", "CDC", 4),
    Column("cdc_1", "t = 1", 4),
    Column("cdc_2", "t = 2", 4),
    Column("cdc_4", "t = 4", 4),
    Column("rmse", "RMSE ab", 1, "lower"),
    Column("colorfulness", "colorfulness"),
)
_DEFINITION = (
    "Warp error: mean squared ab distance of what consecutive frames show of the same place, by Farneback's flow of "
    "the lightness, where both show it; then as a multiple of the true film's. CDC: Jensen-Shannon divergence, in "
    "bits, of the histograms of red, green and blue of frames t apart, and the mean of t = 1, 2 and 4. Neither over "
    "cuts. RMSE: of ab to the true film. Gray is as steady as can be: steadiness says something only beside the RMSE, "
    "and beside what the true film has."
)


def find_films(data: Path) -> list[Path]:
    """List the films in a folder and its sub-folders, sorted by name; of a film, itself; of anything else, none."""
    found = sorted(data.rglob("*")) if data.is_dir() else [data]
    return [path for path in found if path.suffix.lower() in SUFFIXES and is_film(path)]


def evaluate_films(
    pipelines: Sequence[Pipeline],
    films: Sequence[Path],
    settings: FilmSettings,
    *,
    folder: Path,
    size: int = 256,
    watch: Callable[[str], None] = lambda name: None,
) -> Evaluation:
    """Compare models' colors with those of films, one after the other.

    Args:
        pipelines: the models, each with its options and a name of its own.
        films: in color; what is not, or cannot be read, is left out.
        settings: how colors are steadied.
        folder: that films are named from.
        size: of the longer side at which all is compared, in pixels.
        watch: called after every frame with the film's name.

    Raises:
        DataError: no film can be compared with.
        PluginError: a model gave something else than finite chroma.
    """
    sections: list[Section] = []
    unreadable: list[ColorcliError] = []
    for path in films:
        name = path.relative_to(folder).as_posix()
        try:
            found = evaluate_film(pipelines, path, settings, size=size, watch=partial(_told, watch, name))
        except (MediaError, DataError) as error:
            unreadable.append(error)
            continue
        height, width = found.size
        rows = {row: {key: Figure(value) for key, value in own.items()} for row, own in found.rows.items()}
        sections.append(Section(name, f"{found.frames} frames at {width}x{height}", rows))
    if not sections:
        raise DataError(f"None of {len(films)} films can be compared with. {unreadable[0]}", "Give a film in color.")
    count = len(sections)
    protocol = [
        f"{count} film{'s' if count > 1 else ''}, at {size} pixels on the longer side",
        _DEFINITION,
    ]
    if count > 1:
        sections.insert(0, _mean(sections))
    return Evaluation(Table("Films", _COLUMNS, sections, (), protocol), (), unreadable)


def _told(watch: Callable[[str], None], name: str, _count: int) -> None:
    watch(name)


def _mean(sections: Sequence[Section]) -> Section:
    """Average the figures of films, each counting the same; a figure that one of them lacks has no mean."""
    rows: dict[str, Mapping[str, Figure]] = {}
    for row in sections[0].rows:
        own = [section.rows[row] for section in sections]
        names = [name for name in own[0] if all(name in figures for figures in own)]
        rows[row] = {name: Figure(sum(figures[name].value for figures in own) / len(own)) for name in names}
    return Section("", f"mean of {len(sections)} films", rows)
