"""Versions of pictures for pages and sheets: in gray, colorized by each model, and the original."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from colorcli.errors import ColorcliError, PluginError
from colorcli.inference.join import join
from colorcli.media import shown
from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS, open_picture
from colorcli.media.pictures.images import to_image
from colorcli.media.pictures.tone import is_in_color
from colorcli.pages.sheet import PictureVersions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from PIL import Image

    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.media.pictures.files import Frame


def versions(
    pipelines: Sequence[Pipeline], photographs: Iterable[Photograph], report: Callable[[ColorcliError], None]
) -> Iterator[PictureVersions]:
    """Yield the versions of each picture at full size, with one picture in memory at a time.

    Args:
        pipelines: the models with their options, each with a unique name.
        photographs: gray or in color; the first page of files with several.
        report: called with the error for each picture that cannot be read or colorized, and for each model that fails,
            which is left out from then on.

    Raises:
        PluginError: all models failed.
    """
    working = list(pipelines)
    for photograph in photographs:
        colored: dict[str, Image.Image] = {}
        try:
            frame = _first_frame(photograph.stream())
            for pipeline in list(working):
                try:
                    colored[pipeline.name] = to_image(next(pipeline.colorize([frame])))
                except PluginError as error:
                    working.remove(pipeline)
                    if not working:
                        raise
                    report(
                        PluginError(f"{shown(photograph.name)}: {error.message} The model is left out.", error.hint)
                    )
        except PluginError:
            raise
        except ColorcliError as error:
            report(error)
            continue
        yield PictureVersions(shown(photograph.name), _between_gray_and_original(frame, colored))


def before_and_after(source: Path, target: Path, label: str, note: str, *, max_pixels: int) -> PictureVersions:
    """Read the versions of a picture that is already colorized.

    Args:
        source: the picture.
        target: its output.
        label: label of the output.
        note: note about the picture.
        max_pixels: the largest number of pixels that a frame may have.

    Raises:
        UnreadableMedia: one of the files cannot be read.
    """
    frame, colored = _first_frame(source, max_pixels), _first_frame(target, max_pixels)
    return PictureVersions(shown(source), _between_gray_and_original(frame, {label: to_image(colored)}), note)


def _first_frame(source: Path | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Frame:
    return replace(next(open_picture(source, max_pixels=max_pixels).frames()), alpha=None)


def _between_gray_and_original(frame: Frame, colored: Mapping[str, Image.Image]) -> dict[str, Image.Image]:
    gray = replace(frame, pixels=join(frame.pixels, torch.zeros(1, 2, 1, 1)))
    original = to_image(frame)
    images = {"gray": to_image(gray), **colored}
    return {**images, "original": original} if is_in_color(frame.pixels) else images
