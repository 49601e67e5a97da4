"""The same pictures in grey, by several models, and as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from colorcli.errors import ColorcliError
from colorcli.evaluation.evaluate import has_colour
from colorcli.evaluation.sheets import Row
from colorcli.joining import join
from colorcli.media.images import open_picture, to_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from PIL import Image

    from colorcli.engine import Line
    from colorcli.media.images import Frame
    from colorcli.media.photographs import Photograph


def versions(
    lines: Sequence[Line], photographs: Iterable[Photograph], report: Callable[[ColorcliError], None]
) -> Iterator[Row]:
    """Give every picture's versions, full size, holding one picture at a time.

    Args:
        lines: the models, each with its options and a name of its own.
        photographs: grey or in colour; of several pages the first.
        report: gets what is wrong with pictures that cannot be read.
    """
    for photograph in photographs:
        try:
            frame = next(open_picture(photograph.stream()).frames())
        except ColorcliError as error:
            report(error)
            continue
        yield Row(photograph.name, _versions(lines, replace(frame, alpha=None)))


def _versions(lines: Sequence[Line], frame: Frame) -> dict[str, Image.Image]:
    grey = replace(frame, pixels=join(frame.pixels, torch.zeros(1, 2, 1, 1)))
    images = {"grey": to_image(grey)}
    images |= {line.name: to_image(next(line.colorize([frame]))) for line in lines}
    original = to_image(frame)
    if has_colour(np.asarray(original)):
        images["original"] = original
    return images
