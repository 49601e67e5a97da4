"""How frames are displayed: interlaced or not, rotated, mirrored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from colorcli.media.films.ffmpeg import side_data

if TYPE_CHECKING:
    from collections.abc import Sequence

Deinterlace = Literal["auto", "on", "off"]

_MARKS_FIELDS = {"h264", "hevc", "mpeg1video", "mpeg2video", "vc1", "wmv3", "dvvideo", "prores", "cavs"}
"""Codecs that mark interlaced frames themselves; for others, what the container declares counts."""

_FIELD_ORDERS = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}  # AVFieldOrder: the field displayed first
_MATROSKA_ORDERS = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}  # 4 and 5 stand for fields stored line by line


def interlacing(
    container: Any, stream: Any, frames: Sequence[Any], deinterlace: Deinterlace, notes: list[str]
) -> tuple[str, bool]:
    """Return the field order if only the container declares it, and whether interlaced frames were found.

    Args:
        container: the film.
        stream: its video.
        frames: some of its frames.
        deinterlace: what the user wants.
        notes: sentences for the user, extended here.
    """
    codec = stream.codec_context.name
    orders = _MATROSKA_ORDERS if container.format.name.startswith("matroska") else _FIELD_ORDERS
    declared = orders.get(int(stream.codec_context.field_order), "")
    marked = [frame.interlaced_frame for frame in frames]
    order = "" if any(marked) or codec in _MARKS_FIELDS else declared
    found = bool(order) or any(marked)
    if deinterlace == "on":
        notes.append("all frames are deinterlaced")
    elif found and deinterlace == "off":
        notes.append("interlaced, and not deinterlaced")
    elif found:
        notes.append(
            "interlaced, so it is deinterlaced"
            if order or all(marked)
            else "partly interlaced, so interlaced frames are deinterlaced"
        )
    return order, found


def display(frame: Any) -> tuple[int, float, bool]:
    """Return the clockwise rotation for display in steps of 90, the remaining tilt, and whether it is mirrored."""
    data = side_data(frame, "DISPLAYMATRIX")
    if data is None:
        return round(-frame.rotation / 90) * 90 % 360, 0.0, False
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].astype(float)
    mirrored = bool(a * d < b * c)
    angle = round(math.degrees(math.atan2(b / (math.hypot(b, d) or 1), a / (math.hypot(a, c) or 1))), 2)
    rotation = round(angle / 90) * 90
    tilt = 0.0 if mirrored else angle - rotation
    if mirrored and rotation % 180 == 0:  # the angle refers to the first row, which mirroring reverses
        rotation = 180 - rotation
    return rotation % 360, tilt, mirrored
