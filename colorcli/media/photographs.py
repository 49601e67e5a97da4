"""Collections of photographs, for training and evaluation: found in folders and tar files, and read in place."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from colorcli.errors import DataError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Photograph:
    """Where the bytes of one photograph lie: a file, or a part of a tar file."""

    name: str
    path: Path
    offset: int = 0
    length: int = -1

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

    Raises:
        DataError: the folder is not there, or a tar file in it is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: a folder of colour photographs was expected.")
    found: list[Photograph] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".tar":
            found += _in_tar(path)
        elif path.suffix.lower() in _SUFFIXES:
            found.append(Photograph(path.relative_to(folder).as_posix(), path))
    return sorted(found, key=lambda photograph: photograph.name)


def _in_tar(path: Path) -> list[Photograph]:
    try:
        with tarfile.open(path) as tar:
            members = (m for m in tar if m.isfile() and Path(m.name).suffix.lower() in _SUFFIXES)
            return [Photograph(m.name, path, m.offset_data, m.size) for m in members]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: this tar file cannot be read ({error}).") from error
