"""The same pictures in gray, by several models, and as they are."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch

from colorcli.errors import ColorcliError
from colorcli.evaluation.photographs import has_color
from colorcli.inference.join import join
from colorcli.media import shown
from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS, open_picture, to_image
from colorcli.pages.sheet import Row

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
) -> Iterator[Row]:
    """Give every picture's versions, full size, holding one picture at a time.

    Args:
        pipelines: the models, each with its options and a name of its own.
        photographs: gray or in color; of several pages the first.
        report: gets what is wrong with pictures that cannot be read or colored.
    """
    for photograph in photographs:
        try:
            frame = _first_frame(photograph.stream())
            colored = {pipeline.name: to_image(next(pipeline.colorize([frame]))) for pipeline in pipelines}
        except ColorcliError as error:
            report(error)
            continue
        yield Row(photograph.name, _between_gray_and_original(frame, colored))


def before_and_after(source: Path, target: Path, label: str, note: str, *, max_pixels: int) -> Row:
    """Give the versions of a picture that was colored before, as `versions` does.

    Args:
        source: the picture.
        target: its output.
        label: what the output is called.
        note: on the picture.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: one of the two cannot be read.
    """
    frame, colored = _first_frame(source, max_pixels), _first_frame(target, max_pixels)
    return Row(shown(source), _between_gray_and_original(frame, {label: to_image(colored)}), note)


def described(pipeline: Pipeline) -> str:
    """Say in a line what a version was made with: network, options, weights and their license."""
    model = pipeline.model
    weights = model.colorizer.weights.get(model.tag)
    facts = [
        f"network at {model.size}x{model.size}" if model.size else "network at the picture's own size",
        *(f"{name}={value}" for name, value in pipeline.options.items()),
        *([f"strength={pipeline.strength:g}"] if pipeline.strength != 1 else []),
        str(model.device),
        f"weights {model.fingerprint[:12]}",
        *([f"license {weights.license}"] if weights else []),
    ]
    return ", ".join(facts)


def versions_used() -> str:
    """Name the versions of what decides the colors."""
    return ", ".join(f"{package} {version(package)}" for package in ("colorcli", "torch"))


def _first_frame(source: Path | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS) -> Frame:
    return replace(next(open_picture(source, max_pixels=max_pixels).frames()), alpha=None)


def _between_gray_and_original(frame: Frame, colored: Mapping[str, Image.Image]) -> dict[str, Image.Image]:
    gray = replace(frame, pixels=join(frame.pixels, torch.zeros(1, 2, 1, 1)))
    original = to_image(frame)
    images = {"gray": to_image(gray), **colored}
    return {**images, "original": original} if has_color(np.asarray(original)) else images
