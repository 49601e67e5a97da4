"""Collections of photographs, for training and evaluation: found in folders and tar files, and read in place."""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from colorcli.errors import DataError, UnreadableMedia
from colorcli.files import open_regular, shown
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.images import to_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom

_COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_MANIFEST = "manifest.csv"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Photograph:
    """Where the bytes of a photograph are, in a file or in a part of a tar file, and its row in the manifest."""

    name: str
    path: Path
    offset: int = 0
    length: int = -1
    category: str = ""
    row: Mapping[str, str | None] = field(default_factory=dict, compare=False)

    def stream(self) -> io.BytesIO:
        """Return the bytes as a stream that has the photograph's name.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            with open_regular(self.path) as file:
                file.seek(self.offset)
                stream = io.BytesIO(file.read(self.length))
        except OSError as error:
            where = f"{shown(self.path)}: {shown(self.name)}" if self.length >= 0 else shown(self.path)
            raise DataError(f"{where} cannot be read ({error.strerror or error}).") from error
        stream.name = self.name
        return stream


def read_square(
    photograph: Photograph, size: int, choose_box: Callable[[tuple[int, int]], Box] | None = None
) -> NDArray[np.uint8]:
    """Decode a photograph as `colorcli run` does, and scale it to a square (size, size, 3), upright and in sRGB.

    Large JPEGs are decoded at a fraction of their size, which is still four times what is needed or more.

    Args:
        photograph: photograph to decode; if it has several pages, the first is used.
        size: side of the square in pixels.
        choose_box: chooses a crop of a picture of a given (width, height); None to scale the whole picture to a
            square.

    Raises:
        DataError: the photograph cannot be read.
    """
    try:
        picture = open_picture(photograph.stream())
        width, height = picture.size
        left, top, right, bottom = choose_box(picture.size) if choose_box else (0, 0, width, height)
        needed = max(size / (right - left), size / (bottom - top))
        image = to_image(next(picture.frames(min(1.0, 4 * needed)))).convert("RGB")
    except UnreadableMedia as error:
        raise DataError(error.message, error.hint) from error
    x, y = image.width / width, image.height / height
    box = (left * x, top * y, min(right * x, image.width), min(bottom * y, image.height))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def find_photographs(folder: Path) -> list[Photograph]:
    """List the photographs in a folder, its subfolders and its tar files, sorted by name.

    A photograph's category is the topmost folder that it is in; a manifest.csv with the columns `file` and `category`
    takes precedence.

    Raises:
        DataError: the folder does not exist or is a file; a tar file or the manifest in it is damaged, or a tar file
            compressed.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} must be a folder of photographs, not a file.")
    if not folder.is_dir():
        raise DataError(f"Folder of photographs not found: {folder}.")
    found: list[Photograph] = []
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(_COMPRESSED_TARS):
            raise DataError(f"{path}: compressed tar files cannot be read in place.", "Unpack it first: tar xf FILE")
        if path.suffix.lower() == ".tar":
            found += _in_tar(path)
        elif path.suffix.lower() in _SUFFIXES and not path.is_dir():
            found.append(Photograph(path.relative_to(folder).as_posix(), path))
    rows = _read_manifest(folder / _MANIFEST)
    has_categories = any("category" in row for row in rows.values())
    found = [_in_manifest(photograph, rows.get(photograph.name, {}), has_categories) for photograph in found]
    return sorted(found, key=lambda photograph: photograph.name)


def _in_manifest(photograph: Photograph, row: Mapping[str, str | None], has_categories: bool) -> Photograph:
    folder, slash, _ = photograph.name.partition("/")
    category = (row.get("category") or "") if has_categories else folder if slash else ""
    return replace(photograph, category=category, row=row)


def _read_manifest(path: Path) -> dict[str, dict[str, str | None]]:
    """Return the rows of a manifest by file; none where it is missing or has no column `file`."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            return {row["file"]: row for row in rows} if "file" in (rows.fieldnames or ()) else {}
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: this table cannot be read ({error}).", "Repair or remove it.") from error


def _in_tar(path: Path) -> list[Photograph]:
    try:
        # Uncompressed, because photographs are read where they lie in it
        with open_regular(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = (m for m in tar if m.isfile() and Path(m.name).suffix.lower() in _SUFFIXES)
            return [Photograph(m.name, path, m.offset_data, m.size) for m in members]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: this tar file cannot be read ({error}).") from error
