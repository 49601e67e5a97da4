"""Encoders: how their quality is set, and which pixel formats they take."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from colorcli.errors import UsageError, did_you_mean
from colorcli.media.films.captions import CAPTIONED
from colorcli.media.films.encoder import settle_timing
from colorcli.media.films.ffmpeg import encoders, run
from colorcli.media.films.trial import check_reading_back

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from colorcli.media.films.film import Film

Options = dict[str, "str | int | float"]


@dataclass(frozen=True)
class EncoderSettings:
    """The option names and defaults of an encoder.

    Attributes:
        quality: the option that `--crf` sets; empty if it has none.
        crf: the default of that option.
        bounds: the lowest and the highest value of that option.
        preset: the option that `--preset` sets; empty if it has none.
        speed: the default of that option; empty for the encoder's own.
        always: other options that are always set.
    """

    quality: str = ""
    crf: float = 0
    bounds: tuple[float, float] = (0, 51)
    preset: str = ""
    speed: str = ""
    always: Mapping[str, str | int] = field(default_factory=dict)


ENCODERS: dict[str, EncoderSettings] = {
    "libx264": EncoderSettings("crf", 18, (0, 51), "preset", "faster"),
    "libx265": EncoderSettings("crf", 20, (0, 51), "preset", "fast", {"x265-params": "log-level=error"}),
    "libsvtav1": EncoderSettings("crf", 26, (1, 63), "preset", "8"),
    "libaom-av1": EncoderSettings("crf", 24, (0, 63), "cpu-used", "6", {"row-mt": 1}),
    "libvpx-vp9": EncoderSettings("crf", 24, (0, 63), "cpu-used", "4", {"b:v": 0, "row-mt": 1}),
    "ffv1": EncoderSettings(always={"level": 3, "slicecrc": 1}),
    "mpeg4": EncoderSettings("q:v", 3, (1, 31)),
    "mpeg2video": EncoderSettings("q:v", 3, (1, 31)),
    "dnxhd": EncoderSettings(),
    "prores_ks": EncoderSettings("q:v", 9, (2, 31)),
} | {
    f"{kind}_{maker}": codec
    for kind in ("h264", "hevc", "av1")
    for maker, codec in {
        "nvenc": EncoderSettings("cq", 20, (1, 51), "preset", "p5", {"rc": "vbr", "b:v": 0}),
        "qsv": EncoderSettings("global_quality", 20, (1, 51), "preset", "medium"),
        "vaapi": EncoderSettings("qp", 20, (0, 52)),
        "amf": EncoderSettings("qp_i", 20, (0, 51), "quality", "balanced", {"rc": "cqp"}),
        "videotoolbox": EncoderSettings("q:v", 65, (1, 100)),
    }.items()
}
"""The encoders whose quality we can set. Any other ffmpeg encoder can be used with its own defaults."""

ALIASES = {
    "h264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "dnxhr": "dnxhd",
    "prores": "prores_ks",
}
_HOLDS_ODD_420 = {"libvpx-vp9", "libaom-av1", "libsvtav1", "ffv1", "av1_nvenc"}
_MARKS_RANGE = {"h264", "hevc", "vp9", "av1", "mjpeg"}
"""Codecs that record full range in their own stream; others need a container that does."""

_REJECTED = {"libvpx-vp9": {f"yuva{each}p{bits}le" for each in (420, 422, 444) for bits in (10, 12)}}
"""Pixel formats that encoders list and reject."""

_LIMITED_RANGE = {"mpeg1video", "mpeg2video", "prores", "dvvideo", "dnxhd", "magicyuv"}
"""Codecs whose decoders assume limited range, whatever the container says."""


@dataclass(frozen=True)
class Encoding:
    """How to encode a film.

    Attributes:
        codec: the name of the encoder in ffmpeg.
        options: its options.
        pixel_format: the format of the pixels it receives.
        alpha: whether transparency is encoded.
        range: "tv" or "pc", of the encoded luma.
        tick: the time base of the encoder; None for that of the film.
        constant_rate: whether the encoder needs a constant frame rate.
        notes: sentences for the user.
    """

    codec: str
    options: Options
    pixel_format: str
    alpha: bool = False
    range: str = "tv"
    tick: Fraction | None = None
    constant_rate: bool = False
    notes: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The codec, such as "h264", that the encoder produces."""
        return encoders()[self.codec]

    @property
    def filters(self) -> str:
        """The last filters before the encoder."""
        if not self.codec.endswith("_vaapi"):
            return f"format={self.pixel_format}"
        return f"format={self.pixel_format},hwupload"

    @property
    def declared_range(self) -> str:
        """The range declared to the encoder: one that cannot record full range would convert to limited range."""
        return self.range if self.family in _MARKS_RANGE else "tv"


def choose_encoding(
    film: Film, suffix: str, codec: str | None = None, crf: float | None = None, preset: str | None = None
) -> Encoding:
    """Choose how to encode a film.

    Args:
        film: the probed film.
        suffix: suffix of the output. VP9 is the default for `.webm` and DNxHR for `.mxf`; `.mp4` and `.mov` record
            full range only for codecs that do so themselves.
        codec: an ffmpeg encoder, or h264, h265, av1, vp9; None for the default, libx264.
        crf: the quality on the encoder's own scale; None for one that is hard to tell from the source.
        preset: the encoder's speed preset; None for a fast one.

    Raises:
        UsageError: the encoder does not exist, lacks an option, or rejects its value; or it is unknown, and what it
            writes cannot be read back.
        FfmpegMissing: ffmpeg is not available.
    """
    name = codec or {".webm": "libvpx-vp9", ".mxf": "dnxhd"}.get(suffix.lower(), "libx264")
    name = name if name in encoders() else ALIASES.get(name, name)
    if name not in encoders():
        raise UsageError(
            f"This ffmpeg has no encoder {name!r}.",
            did_you_mean(name, {*(ENCODERS.keys() & encoders()), *ALIASES}),
        )
    known = ENCODERS.get(name, EncoderSettings())
    for option, value, has in (("--crf", crf, known.quality), ("--preset", preset, known.preset)):
        if value is not None and not has:
            raise UsageError(f"{option} is not supported for {name}.", f"Remove {option}.")
    lowest, highest = known.bounds
    if crf is not None and not lowest <= crf <= highest:
        raise UsageError(f"--crf must be between {lowest} and {highest} for {name}, got {crf:g}.")
    options: Options = dict(known.always)
    if known.quality:
        options[known.quality] = _number(known.crf if crf is None else crf)
    if known.quality == "qp_i":
        options["qp_p"] = options["qp_i"]
    if known.preset and (preset or known.speed):
        options[known.preset] = preset or known.speed
    pixel_format, notes = _pixel_format(film, name, suffix.lower())
    alpha = film.alpha and pixel_format.startswith("yuva")
    if alpha and name == "libvpx-vp9":
        options["auto-alt-ref"] = 0  # not supported together
    if name == "dnxhd":
        options["profile"] = "dnxhr_hqx" if "10" in pixel_format else "dnxhr_hq"
    if film.alpha and not alpha:
        known_to = "ffv1 and prores_ks do, and libvpx-vp9 in .webm and .mkv"
        notes += (f"its transparency is lost, because {name} does not support it ({known_to})",)
    if film.captions and encoders()[name] not in CAPTIONED:
        notes += (f"the closed captions within its video are lost, because {name} cannot carry them (libx264 does)",)
    color_range, more = _range(film, encoders()[name], suffix.lower())
    encoding = settle_timing(film, Encoding(name, options, pixel_format, alpha, color_range, notes=notes + more))
    if name not in ENCODERS:
        check_reading_back(film, encoding, suffix.lower())
    return encoding


_DEPTHS = {8: "", 10: "10le", 12: "12le"}
"""The ends of the names of pixel formats, by their bits."""


def _range(film: Film, family: str, suffix: str) -> tuple[str, tuple[str, ...]]:
    """Choose the range of the encoded luma: full range must be limited if the output could not record it."""
    in_container = suffix not in {".mp4", ".m4v", ".mov"} and family not in _LIMITED_RANGE
    if film.range == "tv" or family in _MARKS_RANGE or in_container:
        return film.range, ()
    what = family if family in _LIMITED_RANGE else f"{family} in {suffix}"
    return "tv", (f"its full range is reduced to limited range, because {what} cannot record it",)


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _pixel_format(film: Film, codec: str, suffix: str) -> tuple[str, tuple[str, ...]]:
    """Choose the closest pixel format: 4:2:0, or 4:4:4 where an odd size needs it; and note what is lost."""
    odd = film.width % 2 or film.height % 2
    layouts = ["444p", "422p", "420p"] if odd and codec not in _HOLDS_ODD_420 else ["420p", "422p", "444p"]
    deeper = sorted(_DEPTHS, key=lambda bits: (bits < film.depth, abs(bits - film.depth)))
    semi = {"yuv420p": "nv12", "yuv420p10le": "p010le", "yuv420p12le": "p012le", "yuv444p10le": "yuv444p16le"}
    taken = _pixel_formats(codec) - _REJECTED.get(codec, {"vaapi"}) or {"nv12", "p010le"}
    wanted = [f"yuv{each}{_DEPTHS[bits]}" for bits in deeper for each in layouts]
    keeps_alpha = suffix in {".webm", ".mkv"} if codec == "libvpx-vp9" else encoders()[codec] != "hevc"
    if film.alpha and keeps_alpha:  # ffmpeg does not decode that of H.265
        wanted = [each.replace("yuv", "yuva") for each in wanted] + wanted
    for each in wanted:
        for form in (each, semi.get(each, ""), each.replace("yuv", "yuvj")):
            if form in taken:
                notes = []
                if odd and "444" in form:
                    size = f"{film.width} x {film.height}"
                    notes.append(f"{size} is odd, so it is written as 4:4:4, which some players do not support")
                bits = next(bits for bits, name in _DEPTHS.items() if each.endswith(f"p{name}"))
                if bits < film.depth:
                    what = f"{bits} bits with transparency" if "yuva" in form else f"{bits} bits"
                    notes.append(f"{codec} supports only {what}, so its {film.depth} bits become {bits}")
                return form, tuple(notes)
    raise UsageError(f"{codec} does not support YUV pixel formats.", "Choose another --codec, such as libx264.")


@cache
def _pixel_formats(codec: str) -> set[str]:
    said = run(["-hide_banner", "-h", f"encoder={codec}"]).decode()
    found = re.search(r"Supported pixel formats: (.*)", said)
    return set(found[1].split()) if found else {"yuv420p"}
