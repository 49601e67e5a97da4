"""The table of films: a section for each film, and their mean."""

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
    Column("warp_ratio", "× true film", 2),  # noqa: RUF001 - a multiplication sign
    Column("cdc", "CDC", 4),
    Column("cdc_1", "CDC, t = 1", 4),
    Column("cdc_2", "CDC, t = 2", 4),
    Column("cdc_4", "CDC, t = 4", 4),
    Column("rmse", "RMSE ab", 1, "lower"),
    Column("colorfulness", "colorfulness"),
)
_DEFINITION = (
    "Warp error: mean squared distance in ab between the same points of consecutive frames, matched by Farnebäck's "
    "optical flow of the lightness where both frames show them; then as a multiple of the true film's. CDC: "
    "Jensen-Shannon divergence, in bits, between the RGB histograms of frames t apart, and the mean for "
    "t = 1, 2 and 4. Neither is measured across cuts. RMSE: of ab, to the true film. Gray is perfectly steady: read "
    "warp error and CDC beside the RMSE and beside the true film's own."
)


def find_films(data: Path) -> list[Path]:
    """List the films in a folder and its subfolders, sorted by name; for a film, the film; otherwise none."""
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
    """Compare the colors that models predict for films with the true ones.

    Args:
        pipelines: the models with their options, each with a unique name.
        films: films in color; others, and unreadable ones, are skipped.
        settings: how colors are stabilized.
        folder: the folder that the films' names are relative to.
        size: length of the longer side at which frames are compared, in pixels.
        watch: called with the film's name after every frame.

    Raises:
        DataError: no film can be evaluated.
        PluginError: a model predicted something other than finite chroma.
    """
    sections: list[Section] = []
    unreadable: list[ColorcliError] = []
    for path in films:
        name = path.relative_to(folder).as_posix()
        try:
            found = evaluate_film(pipelines, path, settings, size=size, watch=partial(_report_frame, watch, name))
        except (MediaError, DataError) as error:
            unreadable.append(error)
            continue
        height, width = found.size
        rows = {row: {key: Figure(value) for key, value in own.items()} for row, own in found.rows.items()}
        sections.append(Section(name, f"{found.frames} frames at {width}x{height}", rows))
    if not sections:
        raise DataError(f"None of {len(films)} films can be evaluated. {unreadable[0]}", "Choose a film in color.")
    count = len(sections)
    protocol = [f"{count} film{'s' if count > 1 else ''}, scaled to {size} pixels on the longer side", _DEFINITION]
    if count > 1:
        sections.insert(0, _mean(sections))
    return Evaluation(Table("Films", _COLUMNS, sections, (), protocol), (), unreadable)


def _report_frame(watch: Callable[[str], None], name: str, _count: int) -> None:
    watch(name)


def _mean(sections: Sequence[Section]) -> Section:
    """Average the figures of all films with equal weight; a figure that one of them lacks has no mean."""
    rows: dict[str, Mapping[str, Figure]] = {}
    for row in sections[0].rows:
        films = [section.rows[row] for section in sections]
        names = [name for name in films[0] if all(name in figures for figures in films)]
        rows[row] = {name: Figure(sum(figures[name].value for figures in films) / len(films)) for name in names}
    return Section("", f"mean of {len(sections)} films", rows)
