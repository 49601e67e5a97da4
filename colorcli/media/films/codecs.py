"""Encoders: which there are, how the quality of each is set, and which pixels each takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from colorcli.errors import UsageError, did_you_mean
from colorcli.media.films.ffmpeg import encoders, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from colorcli.media.films.probe import Film

Options = dict[str, "str | int | float"]


@dataclass(frozen=True)
class Codec:
    """How an encoder is told what we want of it, in the names of its own options.

    Attributes:
        quality: what `--crf` sets; empty where there is no such thing.
        crf: its value where none is asked for.
        preset: what `--preset` sets; empty where there is no such thing.
        speed: its value where none is asked for; empty for the encoder's own.
        always: what else is set.
    """

    quality: str = ""
    crf: float = 0
    preset: str = ""
    speed: str = ""
    always: Mapping[str, str | int] = field(default_factory=dict)


CODECS: dict[str, Codec] = {
    "libx264": Codec("crf", 18, "preset", "faster"),
    "libx265": Codec("crf", 20, "preset", "fast", {"x265-params": "log-level=error"}),
    "libsvtav1": Codec("crf", 26, "preset", "8"),
    "libaom-av1": Codec("crf", 24, "cpu-used", "6", {"row-mt": 1}),
    "libvpx-vp9": Codec("crf", 24, "cpu-used", "4", {"b:v": 0, "row-mt": 1}),
    "ffv1": Codec(always={"level": 3, "slicecrc": 1}),
    "mpeg4": Codec("q:v", 3),
    "prores_ks": Codec("q:v", 9),
} | {
    f"{kind}_{maker}": codec
    for kind in ("h264", "hevc", "av1")
    for maker, codec in {
        "nvenc": Codec("cq", 20, "preset", "p5", {"rc": "vbr", "b:v": 0}),
        "qsv": Codec("global_quality", 20, "preset", "medium"),
        "vaapi": Codec("qp", 20),
        "amf": Codec("qp_i", 20, "quality", "balanced", {"rc": "cqp"}),
        "videotoolbox": Codec("q:v", 65),
    }.items()
}
"""The encoders whose quality we know how to set. Any other that ffmpeg has can be asked for, and sets its own."""

SHORT = {"h264": "libx264", "h265": "libx265", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
_HOLDS_ODD_420 = {"libvpx-vp9", "libaom-av1", "libsvtav1", "ffv1", "av1_nvenc"}


@dataclass(frozen=True)
class Encoding:
    """How a film is encoded.

    Attributes:
        codec: ffmpeg's name of the encoder.
        options: what is set of it.
        pixel_format: how it gets the pixels.
        notes: sentences for the user.
    """

    codec: str
    options: Options
    pixel_format: str
    notes: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Ffmpeg's name of what it encodes to."""
        return encoders()[self.codec]

    @property
    def filters(self) -> str:
        """The last filters before the encoder."""
        if not self.codec.endswith("_vaapi"):
            return f"format={self.pixel_format}"
        return f"format={self.pixel_format},hwupload"


def choose_encoding(
    film: Film, suffix: str, codec: str | None = None, crf: float | None = None, preset: str | None = None
) -> Encoding:
    """Choose how to encode a film.

    Args:
        film: what `probe` found.
        suffix: of the file to write; VP9 is the default for `.webm`, which holds no H.264.
        codec: an encoder of ffmpeg's, or h264, h265, av1, vp9; None for the default, libx264.
        crf: the quality in the encoder's own scale; None for one that hardly anybody sees.
        preset: the encoder's word for speed against size; None for a quick one.

    Raises:
        UsageError: there is no such encoder, or it has no such setting.
        FfmpegMissing: there is no ffmpeg.
    """
    name = codec or ("libvpx-vp9" if suffix.lower() == ".webm" else "libx264")
    name = name if name in encoders() else SHORT.get(name, name)
    if name not in encoders():
        raise UsageError(
            f"This ffmpeg has no encoder {name!r}.",
            did_you_mean(name, {*(CODECS.keys() & encoders()), *SHORT}),
        )
    known = CODECS.get(name, Codec())
    for option, value, has in (("--crf", crf, known.quality), ("--preset", preset, known.preset)):
        if value is not None and not has:
            raise UsageError(f"{name} has no {option} that we know of.", f"Leave {option} out.")
    options: Options = dict(known.always)
    if known.quality:
        options[known.quality] = _number(known.crf if crf is None else crf)
    if known.quality == "qp_i":
        options["qp_p"] = options["qp_i"]
    if known.preset and (preset or known.speed):
        options[known.preset] = preset or known.speed
    pixel_format, notes = _pixel_format(film, name)
    return Encoding(name, options, pixel_format, notes)


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _pixel_format(film: Film, codec: str) -> tuple[str, tuple[str, ...]]:
    """Choose the pixel format nearest to what we have: 4:2:0, unless odd sizes need 4:4:4; and say what it costs."""
    odd = film.width % 2 or film.height % 2
    layouts = ["444p", "422p", "420p"] if odd and codec not in _HOLDS_ODD_420 else ["420p", "422p", "444p"]
    deep, plain = [f"yuv{each}10le" for each in layouts], [f"yuv{each}" for each in layouts]
    semi = {"yuv420p": "nv12", "yuv420p10le": "p010le", "yuv444p": "yuv444p", "yuv444p10le": "yuv444p16le"}
    taken = _pixel_formats(codec) - {"vaapi"} or {"nv12", "p010le"}
    wanted = deep + plain if film.depth == 10 else plain + deep
    for each in wanted:
        for form in (each, semi.get(each, "")):
            if form in taken:
                notes = []
                if odd and "444" in form:
                    size = f"{film.width} x {film.height}"
                    notes.append(f"{size} is odd, so it is written as 4:4:4, which not every player shows")
                if film.depth == 10 and each in plain:
                    notes.append(f"{codec} takes 8 bits, so its 10 bits become 8")
                return form, tuple(notes)
    raise UsageError(f"{codec} does not take pictures in Y, U and V.", "Choose another --codec, such as libx264.")


@cache
def _pixel_formats(codec: str) -> set[str]:
    said = run(["-hide_banner", "-h", f"encoder={codec}"]).decode()
    found = re.search(r"Supported pixel formats: (.*)", said)
    return set(found[1].split()) if found else {"yuv420p"}
