"""Collections of photographs, for training and evaluation: found in folders and tar files, and read in place."""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from colorcli.errors import DataError

_MANIFEST = "manifest.csv"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Photograph:
    """Where the bytes of one photograph lie: a file, or a part of a tar file."""

    name: str
    path: Path
    offset: int = 0
    length: int = -1
    category: str = ""  # empty where it has none

    def stream(self) -> io.BytesIO:
        """Read the bytes, as a stream that has the photograph's name.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                stream = io.BytesIO(file.read(self.length))
        except OSError as error:
            raise DataError(f"{self.path}: {self.name} cannot be read ({error.strerror or error}).") from error
        stream.name = self.name
        return stream

    def open(self) -> Image.Image:
        """Decode the picture as RGB.

        Raises:
            DataError: the file is no picture.
        """
        try:
            return Image.open(self.stream()).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: {self.name} is no picture that can be read ({error}).") from None


def find_photographs(folder: Path) -> list[Photograph]:
    """List the photographs in a folder, its sub-folders and its tar files, sorted by name.

    A photograph's category is the uppermost folder that it lies in, or what manifest.csv, if there is one with the
    columns `file` and `category`, says of its name.

    Raises:
        DataError: the folder is not there, or a tar file or the manifest in it is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: a folder of color photographs was expected.")
    found: list[Photograph] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".tar":
            found += _in_tar(path)
        elif path.suffix.lower() in _SUFFIXES:
            found.append(Photograph(path.relative_to(folder).as_posix(), path))
    categories = _read_manifest(folder / _MANIFEST)
    found = [replace(photograph, category=_category(photograph.name, categories)) for photograph in found]
    return sorted(found, key=lambda photograph: photograph.name)


def _category(name: str, categories: dict[str, str] | None) -> str:
    if categories is not None:
        return categories.get(name, "")
    folder, slash, _ = name.partition("/")
    return folder if slash else ""


def _read_manifest(path: Path) -> dict[str, str] | None:
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not {"file", "category"} <= set(rows.fieldnames or ()):
                return None
            return {row["file"]: row["category"] or "" for row in rows}
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: this table cannot be read ({error}).", "Mend or remove it.") from error


def _in_tar(path: Path) -> list[Photograph]:
    try:
        with tarfile.open(path) as tar:
            members = (m for m in tar if m.isfile() and Path(m.name).suffix.lower() in _SUFFIXES)
            return [Photograph(m.name, path, m.offset_data, m.size) for m in members]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: this tar file cannot be read ({error}).") from error
