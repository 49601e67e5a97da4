"""Closed captions (CEA-608 and CEA-708) within the video of a film: read from its frames, written to encoded ones.

Each frame carries a few triplets: a byte for their kind and two of content (ATSC A/53 part 4, section 6.2).
"""

from __future__ import annotations

import contextlib
import re
import struct
from typing import TYPE_CHECKING

import av

from colorcli.media.films.ffmpeg import opened, side_data
from colorcli.media.films.recordings import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from fractions import Fraction

    from colorcli.media.films.film import Film

SIDE_DATA = "A53_CC"
"""The name of captions in PyAV."""

_TRIPLETS_PER_SECOND = 600  # CEA-708: 20 with each frame at 30 frames per second
_MAX_TRIPLETS = 31  # in one message
_REGISTERED = b"\xb5\x00\x31"  # ITU-T T.35: the United States, ATSC
_SKIPPED = {"skip_idct": "all", "skip_loop_filter": "all"}  # the pixels do not matter
_USER_DATA = 4  # the type of a supplement
_H264_FRAMES, _H265_FRAMES, _AV1_FRAMES = range(1, 6), range(32), (3, 6)  # types of units with pixels
_MPEG2_SLICE, _MPEG2_USER_DATA = b"\x00\x00\x01\x01", b"\x00\x00\x01\xb2"
_AV1_METADATA, _AV1_T35 = 0x2A, 4


class Captions:
    """The captions of a film, for its frames in the order in which they are decoded.

    Reads the film once, as they are requested, and remembers only those of frames that are decoded later.

    Args:
        film: the probed film.
        family: the codec of the new video, one of `CAPTIONED`.

    Raises:
        FFmpegError: the film cannot be read.
    """

    def __init__(self, film: Film, family: str) -> None:
        self._insert = CAPTIONED[family]
        self._near = 1 / film.frame_rate / 2
        self._source = _read(film)
        self._known: dict[Fraction, bytes] = {}
        self._last: Fraction | None = None

    def close(self) -> None:
        """Stop reading."""
        self._source.close()

    def added(self, frame: bytes, time: Fraction) -> bytes:
        """Return an encoded frame with the captions of the film's frame at the same time, in seconds."""
        while self._last is None or self._last < time + self._near:
            self._last, triplets = next(self._source, (time + 1000, b""))
            if triplets:
                self._known[self._last] = triplets
        found = [each for each in self._known if abs(each - time) < self._near]
        if not found:
            return frame
        triplets = self._known.pop(min(found, key=lambda each: abs(each - time)))
        parts = [triplets[at : at + 3 * _MAX_TRIPLETS] for at in range(0, len(triplets), 3 * _MAX_TRIPLETS)]
        return self._insert(frame, [_message(each) for each in parts])


def _read(film: Film) -> Generator[tuple[Fraction, bytes]]:
    """Yield the time of each frame, in seconds, and its captions.

    DVDs carry those of half a second with one frame; they are spread over the next.
    """
    most = 3 * max(2, round(_TRIPLETS_PER_SECOND / film.frame_rate))
    clock = Clock(1 / film.frame_rate) if film.jumps else None
    last = -1 / film.frame_rate
    waiting = b""
    with opened(film.path, film.input_options) as container:
        stream = container.streams[film.index]
        stream.codec_context.options = dict(_SKIPPED)
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.FFmpegError):  # damaged
                for frame in packet.decode():
                    stamped = frame.pts is not None
                    last = frame.pts * frame.time_base - film.start if stamped else last + 1 / film.frame_rate
                    last = clock.continuous(last) if clock else last
                    waiting += side_data(frame, SIDE_DATA) or b""
                    yield last, waiting[:most]
                    waiting = waiting[most:]


def _message(triplets: bytes) -> bytes:
    """Return captions as ATSC A/53 has them, without the registration before it."""
    return b"GA94\x03" + bytes((0x40 | len(triplets) // 3, 0xFF)) + triplets + b"\xff"


def _supplement(message: bytes) -> bytes:
    """Return supplemental enhancement information of H.264 and H.265: registered user data, without its header."""
    payload = _REGISTERED + message
    size = b"\xff" * (len(payload) // 255) + bytes((len(payload) % 255,))
    return _escaped(bytes((_USER_DATA,)) + size + payload + b"\x80")


def _escaped(content: bytes) -> bytes:
    """Insert the bytes that prevent start codes."""
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", content)


def _into_h264(frame: bytes, messages: list[bytes]) -> bytes:
    units = [b"\x06" + _supplement(each) for each in messages]
    return _before_frame(frame, units, lambda header: header & 31 in _H264_FRAMES)


def _into_h265(frame: bytes, messages: list[bytes]) -> bytes:
    units = [b"\x4e\x01" + _supplement(each) for each in messages]
    return _before_frame(frame, units, lambda header: header >> 1 & 63 in _H265_FRAMES)


def _before_frame(frame: bytes, added: list[bytes], is_frame: Callable[[int], bool]) -> bytes:
    """Insert units before the first one with pixels; each has its length before it, in four bytes."""
    at = 0
    while at < len(frame) - 4 and not is_frame(frame[at + 4]):
        at += 4 + int.from_bytes(frame[at : at + 4], "big")
    return frame[:at] + b"".join(struct.pack(">I", len(each)) + each for each in added) + frame[at:]


def _into_mpeg2(frame: bytes, messages: list[bytes]) -> bytes:
    """Insert user data between the extension of the picture header and its first slice."""
    at = frame.find(_MPEG2_SLICE)
    return frame[:at] + b"".join(_MPEG2_USER_DATA + each for each in messages) + frame[at:] if at >= 0 else frame


def _into_av1(frame: bytes, messages: list[bytes]) -> bytes:
    """Insert metadata before the first unit with a frame header."""
    at = 0
    while at < len(frame) and frame[at] >> 3 & 15 not in _AV1_FRAMES:
        header = 2 if frame[at] & 4 else 1
        size, length = _leb128(frame, at + header)
        at += header + length + size
    contents = [bytes((_AV1_T35,)) + _REGISTERED + each + b"\x80" for each in messages]
    added = (bytes((_AV1_METADATA, len(each) & 127 | 128, len(each) >> 7)) + each for each in contents)
    return frame[:at] + b"".join(added) + frame[at:]


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return a number whose bytes have seven bits each, the lowest first, and how many bytes it has."""
    number = length = 0
    while at + length < len(data):
        byte = data[at + length]
        number |= (byte & 127) << 7 * length
        length += 1
        if byte < 128:
            break
    return number, length


CAPTIONED: dict[str, Callable[[bytes, list[bytes]], bytes]] = {
    "h264": _into_h264,
    "hevc": _into_h265,
    "mpeg2video": _into_mpeg2,
    "av1": _into_av1,
}
"""The codecs that can carry captions, and how they are inserted into an encoded frame."""
