"""What a classifier recognizes in each version of a picture, and how confidently: the form of the Rome paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from colorcli.evaluation.classifiers import CLASSIFIERS, classifier
from colorcli.experiments.tables import FilledTable
from colorcli.metric import Colors
from colorcli.pages.sheet import as_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from colorcli.experiments.declaration import Classes
    from colorcli.experiments.measured import RunOptions
    from colorcli.pages.sheet import PictureVersions


def recognize(declared: Classes, rows: Iterable[PictureVersions], judge: str, options: RunOptions) -> FilledTable:
    """Make a table: class and confidence of each version of each picture, and a summary of all of them.

    Args:
        declared: the labels, and the paper's printed rows.
        rows: the versions of pictures, such as `colorcli.pages.versions.versions` yields.
        judge: `vgg16` or `lite2`.
        options: device and precision, and whether downloads are allowed.

    Raises:
        WeightsError: the weights of the classifier are not available.
        UsageError: the package with its weights is not installed.
    """
    classify = classifier(judge, options.device, offline=options.offline)
    labels = {"original": declared.original, **declared.variants, "gray": declared.gray}
    confidences: dict[str, list[float]] = {}
    agreements: dict[str, list[bool]] = {}
    cells = [
        [f"paper: {picture}", label, class_, f"{confidence:.4f}"]
        for picture, label, class_, confidence in declared.printed
    ]
    for row in rows:
        found = {}
        for version, label in labels.items():
            if version not in row.versions:
                continue
            pixels = np.asarray(as_image(row.versions[version]).convert("RGB"), dtype=np.float32) / 255
            found[label] = classify(Colors(torch.from_numpy(pixels).permute(2, 0, 1), torch.zeros(2, 1, 1)))
        for label, (class_, confidence) in found.items():
            cells.append([row.name, label, class_, f"{confidence:.4f}"])
            confidences.setdefault(label, []).append(confidence)
            agreements.setdefault(label, []).append(class_ == found.get(declared.original, ("", 0.0))[0])
    for label, values in confidences.items():
        share = 100 * sum(agreements[label]) / len(values)
        mean = f"{sum(values) / len(values):.4f}"
        cells.append([f"all {len(values)}", label, f"{share:.0f} % as in the original", mean])
    whose = f"Here, {CLASSIFIERS[judge]} recognizes the pictures."
    return FilledTable(
        title=declared.title,
        heading=["picture", "version", "class", "confidence"],
        rows=cells,
        note=f"{whose} {declared.note}".strip(),
        left=3,
    )
