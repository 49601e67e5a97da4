"""Synthetic photographs for measurements without pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (500, 375)


def make_photograph(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> None:
    """Write a gray JPEG with the spectrum of a photograph: noise whose amplitude grows with its wavelength."""
    random = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(2, 9):
        noise = Image.fromarray(random.normal(size=(2**octave, 2**octave)).astype(np.float32))
        total += np.asarray(noise.resize(size, Image.Resampling.BICUBIC)) / 2 ** (octave / 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((128 + 60 * total).clip(0, 255).astype(np.uint8)).save(path, quality=90)
