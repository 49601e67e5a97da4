"""The command line that makes the same file as the page."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorcli.inference.pipeline import Pipeline
    from colorcli.serve.album import OpenPicture
    from colorcli.serve.settings import ColoringSettings


def command_line(picture: OpenPicture, pipeline: Pipeline, settings: ColoringSettings) -> str:
    """Write the `colorcli run` command of a picture; values that are defaults are left out.

    Args:
        picture: the file, named as the client named it.
        pipeline: of the settings.
        settings: how it is colored.
    """
    model = pipeline.model
    words = ["colorcli", "run", f"--model={model.name}"]
    defaults = model.options({})
    words += [f"-p{name}={_as_typed(value)}" for name, value in pipeline.options.items() if value != defaults[name]]
    if settings.strength != 1:
        words.append(f"--strength={settings.strength:g}")
    if settings.seed is not None:
        words += ["--samples=1", f"--seed={settings.seed}"]
    words += [f"--hint={hint}" for hint in settings.hints]
    if settings.recolor and picture.tone == "color":
        words.append("--recolor")
    if settings.format is not None:
        words.append(f"--format={settings.format}")
    name = picture.name if not picture.name.startswith("-") else f"./{picture.name}"
    return shlex.join([*words, name])


def _as_typed(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
