"""The checksums of luma, frame by frame, in the format that ffmpeg calls framemd5: proof that it is untouched."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from colorcli.files import replacing
from colorcli.media.films.reader import read_frames

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from colorcli.media.films.film import Film


def write_luma_md5(film: Film, path: Path, start: Fraction | None = None, end: Fraction | None = None) -> list[str]:
    """Write the MD5 of the luma of each frame, as `read_frames` returns it.

    Args:
        film: the probed film.
        path: the file to write.
        start: where to begin, in seconds; times are relative to it.
        end: where to stop.

    Returns:
        The checksums.

    Raises:
        UnreadableMedia: no frame can be decoded.
        OSError: the file cannot be written.
    """
    tick = film.time_base
    lines = [
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        f"#tb 0: {tick.numerator}/{tick.denominator}",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        f"#dimensions 0: {film.width}x{film.height}",
        "#stream#, dts,        pts, duration,     size, hash",
    ]
    duration = round(1 / film.frame_rate / tick)
    found = []
    with read_frames(film, start, end) as reader:
        for frame in reader:
            checksum = hashlib.md5(frame.luma.tobytes(), usedforsecurity=False).hexdigest()
            ticks = round((frame.time - (start or 0)) / tick)
            lines.append(f"0, {ticks:10}, {ticks:10}, {duration:8}, {frame.luma.nbytes:8}, {checksum}")
            found.append(checksum)
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")
    return found
