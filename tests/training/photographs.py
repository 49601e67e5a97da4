"""Photographs and recipes that a network learns from within seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

TINY = """
[network]
widths = [4, 4, 8, 8]

[recipe]
optimizer = "muon"
learning_rate = 0.02
schedule = "cosine"

[training]
epochs = 2
batch_size = 16
sizes = [[0.0, 32]]
contrast = 0.2
average = 0.9
workers = 0

[options]
temperature = 0.5
"""


def picture(seed: int, width: int = 80, height: int = 64) -> Image.Image:
    """Waves from dark blue to light orange: the lightness determines the color, so there is something to learn."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 64
    wave = np.sin(x * chance.uniform(1, 4) + y * chance.uniform(1, 4) + chance.uniform(0, 6)) / 2 + 0.5
    return Image.fromarray((np.stack([wave, 0.1 + 0.4 * wave, 1 - wave], axis=-1) * 255).astype("uint8"))


def write_photographs(folder: Path, count: int = 120) -> Path:
    """A folder of colorful JPEGs, a handful of which is held out for validation."""
    folder.mkdir(parents=True)
    for seed in range(count):
        picture(seed).save(folder / f"{seed:03}.jpg", quality=90)
    return folder


def write_recipe(path: Path, text: str = TINY, **replaced: str) -> Path:
    """A recipe file; `learning_rate="1.0"` replaces the value of that key."""
    lines = text.splitlines()
    for key, value in replaced.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in lines]
    path.write_text("\n".join(lines))
    return path
