"""How much hints help, and how quickly: what docs/hints.md says.

    python tests/benchmarks/hints.py FOLDER [MODEL ...]

FOLDER has color photographs. Random places of each get their true color as hints; RMSE is that of the ab distance
over all pixels, with the photographs scaled to 160 pixels on the longer side. In brackets: how many photographs get
worse, and how many of them by more than 1.
"""

from __future__ import annotations

import functools
import platform
import random
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional

import colorcli
from colorcli.color import lab_to_rgb, rgb_to_lab
from colorcli.hints.hint import Hint
from colorcli.hints.like import SIDE as SIDE_OF_REFERENCE
from colorcli.hints.like import ColorTable
from colorcli.hints.spread import Spreader
from colorcli.inference.pipeline import Pipeline
from colorcli.media.formats import BY_SUFFIX
from colorcli.media.pictures.files import Frame, open_picture

COUNTS = (0, 1, 3, 5, 10, 30)
SIDE = 160
MODELS = ("zhang.starter", "koalarization.starter", "gray")


def small_lab(pixels):
    """A photograph at the size of the measurement: (1, 3, h, w) Lab."""
    rgb = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    scale = SIDE / max(rgb.shape[-2:])
    size = [round(side * scale) for side in rgb.shape[-2:]]
    return rgb_to_lab(functional.interpolate(rgb, size, mode="bilinear", antialias=True))


def true_hints(lab, count, seed):
    chance = random.Random(seed)
    height, width = lab.shape[-2:]
    rgb = (lab_to_rgb(lab[:, :1], lab[:, 1:])[0] * 255).round().int()
    places = [(chance.randrange(height), chance.randrange(width)) for _ in range(count)]
    return [Hint((x + 0.5) / width, (y + 0.5) / height, tuple(rgb[:, y, x].tolist())) for y, x in places]


def predicted(pipeline, pixels, size):
    if pipeline is None:
        return torch.zeros(1, 2, *size)
    (ab,) = pipeline.chroma([Frame(pixels)])
    return functional.interpolate(ab.float().cpu(), size, mode="bilinear")


def errors(pipeline, photographs):
    """Mean squared ab distances: a list for each count of hints, a value for each photograph."""
    found = {count: [] for count in COUNTS}
    for number, pixels in enumerate(photographs):
        lab = small_lab(pixels)
        ab = predicted(pipeline, pixels, lab.shape[-2:])
        spreader, hints = Spreader(lab[:, :1]), true_hints(lab, max(COUNTS), number)
        for count in COUNTS:
            distance = (spreader.spread(ab, hints[:count]) - lab[:, 1:]).square().sum(dim=1).mean()
            found[count].append(distance.item())
    return found


def like(pipeline, photographs):
    """Print the RMSE before and after, with a photograph's other half as its reference, and with another one."""
    labs = [small_lab(pixels) for pixels in photographs]
    colored = [predicted(pipeline, each, lab.shape[-2:]) for each, lab in zip(photographs, labs, strict=True)]
    small = functools.partial(functional.interpolate, size=(SIDE_OF_REFERENCE,) * 2, mode="bilinear", antialias=True)
    pairs = {"its other half": [], "another photograph": []}
    for number, (lab, ab) in enumerate(zip(labs, colored, strict=True)):
        middle, other = lab.shape[-1] // 2, (number + 7) % len(labs)
        left, right = (slice(None, middle), slice(middle, None))
        pairs["its other half"].append((lab[..., right], ab[..., right], lab[..., left], ab[..., left]))
        pairs["another photograph"].append((lab, ab, labs[other], colored[other]))
    for name, cases in pairs.items():
        before, after = [], []
        for lab, ab, of, predicted_of in cases:
            reference = small(of)
            table = ColorTable(reference[:, :1], small(predicted_of), reference[:, 1:])
            for values, found in ((ab, before), (ab + table.difference(lab[:, :1], ab), after)):
                found.append((values - lab[:, 1:]).square().sum(dim=1).mean().item())
        better = sum(a < b for a, b in zip(after, before, strict=True))
        rmse = [statistics.mean(each) ** 0.5 for each in (before, after)]
        print(f"--like {name}: {rmse[0]:.1f} to {rmse[1]:.1f}, better in {better} of {len(cases)}", flush=True)


def latencies():
    """Seconds to prepare a picture of 256x256, and for one more hint: medians of five, wall and processor."""
    seconds = {"prepare": [], "one more": []}
    for seed in range(5):
        lightness = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(seed)) * 100
        hints = [Hint(0.1 * n + 0.05, 0.1 * n + 0.05, (176, 48, 32)) for n in range(10)]
        ab = torch.zeros(1, 2, 256, 256)
        spreader = Spreader(lightness)
        for name, count in (("prepare", 9), ("one more", 10)):
            wall, processor = time.perf_counter(), time.process_time()
            spreader.spread(ab, hints[:count])
            seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in seconds.items()}


def main(folder, names):
    torch.set_num_threads(1)
    paths = [path for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in BY_SUFFIX]
    frames = (next(open_picture(path, max_pixels=10**8).frames()).pixels for path in paths)
    photographs = [pixels for pixels in frames if pixels.ndim == 3]
    print(f"{len(photographs)} photographs, {SIDE} pixels; torch {torch.__version__} on {platform.processor()}")
    print("| | " + " | ".join(f"{count} hints" for count in COUNTS) + " |")
    for name in names:
        pipeline = None if name == "gray" else Pipeline(colorcli.load(name, device="cpu"))
        found = errors(pipeline, photographs)
        rmse = [statistics.mean(found[count]) ** 0.5 for count in COUNTS]
        pairs = [list(zip(found[count], found[0], strict=True)) for count in COUNTS]
        worse = [sum(a > b for a, b in each) for each in pairs]
        much = [sum(a**0.5 > b**0.5 + 1 for a, b in each) for each in pairs]
        cells = (f"{value:.1f} ({any_}, {more})" for value, any_, more in zip(rmse, worse, much, strict=True))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        if pipeline:
            like(pipeline, photographs)
    for name, (wall, processor) in latencies().items():
        print(f"{name}: {wall * 1000:.0f} ms, {processor * 1000:.0f} ms of processor time")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or MODELS)
