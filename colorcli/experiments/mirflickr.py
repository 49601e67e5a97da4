"""The six categories of the Edinburgh paper for MIRFLICKR-25000, from its annotations.

The annotations (Huiskes and Lew 2008) are a text file for each topic, with the number of a picture on each line. The
paper names six categories, but neither their topics nor the category of a picture with several topics; both are our
choice.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import TYPE_CHECKING

from colorcli.errors import DataError, UnwritableMedia
from colorcli.files import replacing
from colorcli.media.photographs import find_photographs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# A picture belongs to the first category one of whose topics it has.
_TOPICS: Mapping[str, Sequence[str]] = {
    "people": ("people", "portrait", "female", "male", "baby"),
    "animals": ("animals", "bird", "dog"),
    "city": ("structures", "transport", "car"),
    "scenery": ("sky", "clouds", "sunset", "water", "sea", "lake", "river"),
    "nature": ("plant_life", "flower", "tree"),
}
_OTHERS = "others"
_PICTURE = re.compile(r"im(\d+)\.jpg")


def write_manifest(photographs: Path, annotations: Path, *, overwrite: bool = False) -> Counter[str]:
    """Write `manifest.csv`, with the category of each picture, into the folder of the pictures.

    Args:
        photographs: folder with im1.jpg to im25000.jpg, in any subfolder.
        annotations: folder with animals.txt, baby.txt, bird.txt and so on.
        overwrite: replace an existing manifest.

    Returns:
        The number of pictures in each category.

    Raises:
        DataError: the folders do not contain the pictures and annotations of MIRFLICKR.
        UnwritableMedia: the manifest exists, or cannot be written.
    """
    target = photographs / "manifest.csv"
    if target.exists() and not overwrite:
        raise UnwritableMedia(f"{target} already exists.", "Replace it with --overwrite.")
    categories = _read(annotations)
    names = [photograph.name for photograph in find_photographs(photographs)]
    rows = [
        (name, categories.get(int(found[1]), _OTHERS))
        for name in names
        if (found := _PICTURE.fullmatch(name.rpartition("/")[2]))
    ]
    if not rows:
        raise DataError(f"{photographs} contains no pictures such as im1.jpg.", "Choose the folder of MIRFLICKR.")
    with replacing(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "category"])
        writer.writerows(rows)
    return Counter(category for _, category in rows)


def _read(annotations: Path) -> dict[int, str]:
    """Read the category of each annotated picture by its number."""
    categories: dict[int, str] = {}
    for category, topics in _TOPICS.items():
        for topic in topics:
            path = annotations / f"{topic}.txt"
            try:
                numbers = [int(line) for line in path.read_text(encoding="ascii").split()]
            except FileNotFoundError:
                raise DataError(
                    f"Annotation not found: {path}.",
                    "Choose the folder with animals.txt, baby.txt, bird.txt and so on.",
                ) from None
            except (OSError, ValueError) as error:
                raise DataError(f"{path} must have the number of a picture on each line: {error}.") from None
            for number in numbers:
                categories.setdefault(number, category)
    return categories
