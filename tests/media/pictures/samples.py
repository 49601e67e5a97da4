"""Pictures that the tests write to disk and read back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from colorcli.media.pictures.files import Frame, Picture, Provenance, open_picture
from colorcli.media.pictures.write import write_picture

if TYPE_CHECKING:
    from pathlib import Path

PROVENANCE = Provenance("zhang", "eccv16", "0.1.0", "0123abcd")
HEIGHT, WIDTH = 48, 64


def gray(bits: int = 8) -> np.ndarray:
    """A ramp (48, 64) from black at the top left to white at the bottom right."""
    ramp = np.add.outer(np.linspace(0, 0.5, HEIGHT), np.linspace(0, 0.5, WIDTH))
    return (ramp * (2**bits - 1)).round().astype(np.uint16 if bits == 16 else np.uint8)


def color(bits: int = 8) -> np.ndarray:
    """A smooth picture (48, 64, 3) without symmetry."""
    ramp = gray(bits)
    return np.dstack((ramp, ramp[::-1], np.full_like(ramp, ramp.max() // 3)))


def image(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(color()).convert(mode)


def colored(picture: Picture) -> list[Frame]:
    """The picture's frames, gray ones as color."""
    return [replace(f, pixels=f.pixels if f.pixels.ndim == 3 else np.dstack([f.pixels] * 3)) for f in picture.frames()]


def rewritten(source: Path, target: Path, format: str | None = None) -> Picture:  # noqa: A002
    """Write the file's own frames to another, and open that."""
    picture = open_picture(source)
    write_picture(target, iter(colored(picture)), picture, format=format, provenance=PROVENANCE)
    return open_picture(target)


def only_frame(picture: Picture) -> Frame:
    frames = list(picture.frames())
    assert len(frames) == 1
    return frames[0]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean difference in levels of 255."""
    return float(np.abs(as_levels(one) - as_levels(other)).mean())


def as_levels(pixels: np.ndarray) -> np.ndarray:
    levels = pixels.astype(np.float64) / (257 if pixels.dtype == np.uint16 else 1)
    return levels if levels.ndim == 3 else np.dstack([levels] * 3)
