"""The pictures that the server has in memory, as many as fit in a budget.

Nothing is written to disk. The picture that was used longest ago goes first; the page sends it again when needed.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from colorcli.errors import ColorcliError
from colorcli.inference.hinted import spreader_of
from colorcli.media.pictures.files import Frame, open_picture
from colorcli.media.pictures.tone import tone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from colorcli.hints.spread import Spreader
    from colorcli.inference.pipeline import Pipeline

PREVIEW_PIXELS = 2_000_000
_IDLE_SECONDS = 1800.0  # seconds that a picture stays after its last use
_CHROMA_BUDGET = 24 * 2**20  # bytes of predicted chroma of a picture
_MAX_NAME_LENGTH = 200
_MAX_SIDE = 16_383  # longest side of a preview that JPEG and WebP allow


class PictureGone(ColorcliError):
    """The server no longer has a picture in memory."""


class OpenPicture:
    """A picture in memory: its file, a preview, and what was predicted for it.

    Args:
        name: name of its file, for messages and downloads.
        content: content of its file.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: it is not a picture, is damaged, or is too large.
    """

    def __init__(self, name: str, content: bytes, max_pixels: int) -> None:
        self.name = clean_name(name)
        self.content = content
        stream = BytesIO(content)
        stream.name = self.name
        self.picture = open_picture(stream, max_pixels=max_pixels)
        self._frame: Frame | None = None
        self._spreader: Spreader | None = None
        frame = self.first_frame()
        self.tone = tone_of(frame.pixels)
        self.preview = reduced(frame, PREVIEW_PIXELS)
        self._lightness: dict[int | None, Tensor] = {}
        self._chroma: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def memory(self) -> int:
        """Bytes that it takes while it is not in use."""
        planes = [*self._lightness.values(), *self._chroma.values()]
        return len(self.content) + self.preview.pixels.nbytes + sum(plane.nbytes for plane in planes)

    def first_frame(self) -> Frame:
        """Decode the first frame, or return it if the picture is in use."""
        if self._frame is None:
            self._frame = next(self.picture.frames())
        return self._frame

    def rest(self) -> None:
        """Drop what can be computed again: the frame is decoded when it is needed."""
        self._frame = None
        self._spreader = None

    def spreader(self) -> Spreader:
        """Return what spreads hints over predictions for the first frame; it takes about 70 MB while in use."""
        if self._spreader is None:
            self._spreader = spreader_of(self.first_frame())
        return self._spreader

    def lightness(self, pipeline: Pipeline) -> Tensor:
        """Return the lightness that the network of a pipeline sees of the first frame: (1, 1, h, w)."""
        size = pipeline.model.size
        if size is None:  # may be as large as the picture
            return pipeline.lightness(self.first_frame())
        if size not in self._lightness:
            self._lightness[size] = pipeline.lightness(self.first_frame())
        return self._lightness[size]

    def chroma(self, pipeline: Pipeline) -> Tensor:
        """Return what a pipeline predicts for the first frame, (1, 2, h, w) ab, from memory if possible."""
        key = pipeline.provenance.settings
        if key not in self._chroma:
            planes = pipeline.predict_lightness(self.lightness(pipeline))
            planes.verify()
            self._chroma[key] = planes.values
            while len(self._chroma) > 1 and sum(plane.nbytes for plane in self._chroma.values()) > _CHROMA_BUDGET:
                self._chroma.popitem(last=False)
        self._chroma.move_to_end(key)
        return self._chroma[key]

    def describe(self) -> dict[str, Any]:
        """Describe it for the page."""
        width, height = self.picture.size
        return {
            "name": self.name,
            "width": width,
            "height": height,
            "format": self.picture.format,
            "bits": self.picture.bits,
            "pages": self.picture.count,
            "tone": self.tone,
            "remarks": list(self.picture.remarks),
        }


class Album:
    """The pictures in memory, by the names that the server gave them.

    Args:
        max_pixels: the most pixels that a frame may have.
        budget: bytes of all pictures but the one in use.
        clock: seconds, for tests.
    """

    def __init__(self, max_pixels: int, budget: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_pixels = max_pixels
        self._budget = budget
        self._clock = clock
        self._pictures: OrderedDict[str, tuple[OpenPicture, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, name: str, content: bytes) -> str:
        """Open a picture, and return the key by which it can be requested.

        Raises:
            UnreadableMedia: it is not a picture, is damaged, or is too large.
        """
        for picture, _ in self._pictures.values():
            picture.rest()
        key = secrets.token_urlsafe(12)
        self._pictures[key] = OpenPicture(name, content, self.max_pixels), self._clock()
        self._make_room()
        return key

    def get(self, key: str) -> OpenPicture:
        """Return a picture, which is in use from now on, and let the others rest.

        Raises:
            PictureGone: it is no longer in memory.
        """
        self.release_idle()
        if key not in self._pictures:
            raise PictureGone("This picture is no longer in memory.", "Send it again.")
        found, _ = self._pictures[key]
        self._pictures[key] = found, self._clock()
        self._pictures.move_to_end(key)
        for other, _ in self._pictures.values():
            if other is not found:
                other.rest()
        self._make_room()
        return found

    def remove(self, key: str) -> None:
        """Forget a picture, if it is in memory."""
        self._pictures.pop(key, None)

    def release_idle(self) -> None:
        """Drop the pictures that have not been used for a while."""
        now = self._clock()
        for key in [key for key, (_, used) in self._pictures.items() if now - used > _IDLE_SECONDS]:
            del self._pictures[key]

    def _make_room(self) -> None:
        while len(self._pictures) > 1 and self._memory() > self._budget:
            self._pictures.popitem(last=False)

    def _memory(self) -> int:
        return sum(picture.memory for picture, _ in self._pictures.values())


def clean_name(text: str) -> str:
    """Make a name for messages and downloads of what a client calls a file: without folders and control characters."""
    name = PurePath(text.replace("\\", "/")).name
    kept = "".join(letter for letter in name if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    short = f"{stem[: _MAX_NAME_LENGTH - len(suffix)]}{dot}{suffix}" if len(suffix) < 10 else kept[:_MAX_NAME_LENGTH]
    return short or "picture"


def reduced(frame: Frame, most: int) -> Frame:
    """Scale a frame down, if it has more pixels than wanted, and to 8 bits."""
    height, width = frame.pixels.shape[:2]
    scale = min((most / (height * width)) ** 0.5, _MAX_SIDE / max(height, width))
    size = (max(1, int(width * scale)), max(1, int(height * scale))) if scale < 1 else (width, height)

    def scaled(plane: NDArray[Any]) -> NDArray[np.uint8]:
        native = np.ascontiguousarray(plane, plane.dtype.newbyteorder("="))
        small = cv2.resize(native, size, interpolation=cv2.INTER_AREA) if scale < 1 else native
        if small.dtype == np.uint16:
            small = ((small.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return np.asarray(small, np.uint8)

    return Frame(scaled(frame.pixels), None if frame.alpha is None else scaled(frame.alpha))
