"""The command lines that make the same files as the page."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from colorcli.inference.pipeline import Pipeline
    from colorcli.serve.album import OpenPicture
    from colorcli.serve.settings import ColoringSettings, FilmRunSettings, ModelSettings


def command_line(picture: OpenPicture, pipeline: Pipeline, settings: ColoringSettings) -> str:
    """Write the `colorcli run` command of a picture; values that are defaults are left out.

    Args:
        picture: the file, named as the client named it.
        pipeline: pipeline with these settings.
        settings: how it is colored.
    """
    words = _model_words(pipeline, settings)
    if settings.seed is not None:
        words += ["--samples=1", f"--seed={settings.seed}"]
    words += [f"--hint={hint}" for hint in settings.hints]
    if settings.recolor and picture.tone == "color":
        words.append("--recolor")
    if settings.format is not None:
        words.append(f"--format={settings.format}")
    name = picture.name if not picture.name.startswith("-") else f"./{picture.name}"
    return shlex.join([*words, name])


def film_command_line(
    film: Path,
    frame_rate: Fraction | None,
    stills: Path | None,
    shots: Path | None,
    pipeline: Pipeline,
    settings: FilmRunSettings,
) -> str:
    """Write the `colorcli run` command of a film.

    Args:
        film: the file, or the pattern of numbered pictures.
        frame_rate: frame rate of numbered pictures; None for the default.
        stills: the folder of its references, if there are any.
        shots: the table of its shots, if there is one.
        pipeline: pipeline with these settings.
        settings: how it is colored.
    """
    words = _model_words(pipeline, settings)
    words += [f"--fps={frame_rate}"] if frame_rate else []
    words += [f"--references={stills}"] if stills else []
    words += [f"--shots={shots}"] if shots else []
    words += ["--overwrite"] if settings.overwrite else []
    return shlex.join([*words, str(film)])


def _model_words(pipeline: Pipeline, settings: ModelSettings) -> list[str]:
    model = pipeline.model
    words = ["colorcli", "run", f"--model={model.name}"]
    defaults = model.options({})
    words += [f"-p{name}={_as_typed(value)}" for name, value in pipeline.options.items() if value != defaults[name]]
    return words if settings.strength == 1 else [*words, f"--strength={settings.strength:g}"]


def _as_typed(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
