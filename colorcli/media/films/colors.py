"""The color coding of films: matrix, range, transfer characteristic and primaries, in the names that ffmpeg uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from colorcli.errors import UnreadableMedia
from colorcli.media import shown
from colorcli.media.films.ffmpeg import filters

if TYPE_CHECKING:
    from pathlib import Path

# The numbers are those of ITU-T H.273, the names those of ffmpeg's filter setparams.
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "jedec-p22",
}
RANGES = {1: "tv", 2: "pc"}
LUMA_MATRICES = {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc"}
"""The matrices that we support: Y, U and V are linear in R', G' and B'."""

_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_UNSUPPORTED = {"ycgco", "bt2020c", "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp"}
_USUAL_PRIMARIES = {"bt709": "bt709", "bt2020nc": "bt2020", "bt470bg": "bt470bg", "smpte240m": "smpte240m"}
_FULL_GRAY = {"ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "mjpeg", "png", "jpeg2000", "jpegls", "dpx", "tiff"}
_CONVERT = "Convert it first: ffmpeg -i FILM -vf scale=out_color_matrix=bt709 -crf 12 CONVERTED.mkv"


class ColorTags(NamedTuple):
    """How a film encodes its colors.

    Attributes:
        matrix: matrix from R', G' and B' to Y, U and V; one of `LUMA_MATRICES`.
        range: "tv" for luma of 16..235 (64..940), "pc" for full range.
        transfer: the transfer characteristic.
        primaries: the color primaries.
        hdr: "PQ" or "HLG" for a film in high dynamic range, which is tone-mapped to standard range; empty otherwise.
        rgb: whether the film is in RGB, or has a palette, and is converted to YUV.
    """

    matrix: str
    range: str
    transfer: str
    primaries: str
    hdr: str = ""
    rgb: bool = False


_CONVERTED = ColorTags("bt709", "tv", "bt709", "bt709")


def picture_colors(frame: Any, notes: list[str]) -> ColorTags:
    """Return the color coding in which `read_frames` returns the pictures of a sequence: full range in bt709.

    Args:
        frame: a picture as PyAV decoded it.
        notes: sentences for the user, extended here.
    """
    rgb = bool(frame.format.is_rgb or frame.format.has_palette)
    if rgb:
        notes.append("its RGB is converted to YUV in bt709")
    matrix = "smpte170m" if frame.format.name.startswith("yuv") else "bt709"  # the matrix of JPEG
    return ColorTags(matrix, "pc", "iec61966-2-1", "bt709", rgb=rgb)


def color_tags(path: Path, frame: Any, codec: str, notes: list[str]) -> ColorTags:
    """Return the color coding of the frames that `read_frames` returns; note what is assumed or converted.

    Args:
        path: the film, named in errors.
        frame: a frame as PyAV decoded it.
        codec: the name of its codec.
        notes: sentences for the user, extended here.

    Raises:
        UnreadableMedia: the matrix is not supported, or ffmpeg cannot tone-map high dynamic range.
    """
    form = frame.format
    rgb = bool(form.is_rgb or form.has_palette)
    hdr = _HDR.get(TRANSFERS.get(int(frame.color_trc), ""), "")
    matrix = MATRICES.get(int(frame.colorspace), "")
    if not rgb and matrix in _UNSUPPORTED:
        raise UnreadableMedia(f"{shown(path)}: the color matrix {matrix} is not supported.", _CONVERT)
    if hdr:
        if "zscale" not in filters():
            raise UnreadableMedia(
                f"{shown(path)}: high dynamic range ({hdr}) needs an ffmpeg with the zscale filter.",
                "Use such an ffmpeg, or convert the film to standard range first.",
            )
        notes.append(f"{hdr} high dynamic range is tone-mapped to standard range, in bt709 with 10 bits")
        return _CONVERTED._replace(hdr=hdr, rgb=rgb)
    if rgb:
        notes.append("its RGB is converted to YUV in bt709")
        return _CONVERTED._replace(rgb=True)
    if matrix not in LUMA_MATRICES:
        matrix = "bt709" if frame.height >= 720 else "smpte170m"
        notes.append(f"the color matrix is not tagged, so {matrix} is assumed")
    full = form.name.startswith("yuvj") or (form.name.startswith("gray") and codec in _FULL_GRAY)
    return ColorTags(
        matrix=matrix,
        range=RANGES.get(int(frame.color_range), "pc" if full else "tv"),
        transfer=TRANSFERS.get(int(frame.color_trc), "smpte240m" if matrix == "smpte240m" else "bt709"),
        primaries=PRIMARIES.get(int(frame.color_primaries), _USUAL_PRIMARIES.get(matrix, "smpte170m")),
    )
