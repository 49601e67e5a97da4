"""The description of a film: its video, color coding, timing and streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.media import shown
from colorcli.media.films.ffmpeg import LONG_ANALYSIS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from pathlib import Path

    from colorcli.media.films.display import Deinterlace
    from colorcli.media.films.sequences import ImageSequence


@dataclass(frozen=True)
class Stream:
    """One stream of a film.

    Attributes:
        index: its number in the file.
        kind: "video", "audio", "subtitle", "attachment", "data", "picture" for a cover, or "chapters" for a track with
            their titles, which is rewritten instead of copied.
        codec: the name of its codec in ffmpeg; empty if unknown.
        language: three letters; empty if untagged.
        disposition: ffmpeg's dispositions joined by "+", such as "default"; "0" for none.
        timecode: whether it is a track of timecodes, which ffmpeg also reads as a tag of the video.
        tags: the names of its tags.
    """

    index: int
    kind: str
    codec: str
    language: str
    disposition: str
    timecode: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Film:
    """A film as `read_frames` returns it. `notes` tells what had to be assumed or changed for that.

    Attributes:
        path: the file.
        index: the number of the video stream that is colorized.
        width: width of the frames as stored, before rotation.
        height: likewise.
        sample_aspect_ratio: width of a pixel divided by its height.
        rotation: degrees clockwise by which frames are rotated for display: 0, 90, 180 or 270.
        tilt: further degrees clockwise, up to 45 in either direction, if the angle is not a multiple of 90.
        mirrored: whether frames are mirrored horizontally after that.
        frame_rate: frames per second, on average if the rate is variable.
        variable: whether the duration of frames varies.
        time_base: the tick, in seconds; all times are multiples of it.
        start: the first timestamp of the file, in seconds; times of frames are relative to it.
        last_duration: how long the last frame is shown, in seconds.
        seekable: whether timestamps allow seeking: raw streams have none, and those of recordings may jump.
        jumps: whether timestamps may jump, as in a broadcast or DVD recording.
        long_analysis: whether much of the file must be read to find all streams, as some begin late.
        decoder: the name of the decoder in ffmpeg; empty for its choice.
        pixel_format: the name of the decoded pixel format in ffmpeg.
        depth: 8, 10 or 12 bits, of the luma that `read_frames` returns.
        matrix: the matrix from R', G' and B' to Y, U and V; one of `LUMA_MATRICES`.
        range: "tv" for luma of 16..235 (64..940), "pc" for full range.
        transfer: the transfer characteristic.
        primaries: the color primaries.
        hdr: "PQ" or "HLG" if `read_frames` tone-maps the film to standard range; empty otherwise.
        rgb: whether `read_frames` converts the film from RGB.
        alpha: whether pixels have transparency.
        captions: whether frames carry closed captions.
        deinterlace: "auto" to deinterlace interlaced frames, "on" for all frames, "off" for none.
        field_order: "tff" or "bff" if all frames are interlaced and only the container declares it; empty otherwise.
        interlaced: whether interlaced frames were found.
        duration: duration in seconds; None if unknown.
        frames: the number of frames; None if unknown.
        streams: all streams, including the video.
        chapter_languages: three letters each, by the title of the chapter.
        tags: the names of the tags of the whole file.
        notes: sentences for the user.
        sequence: the pictures of a film that consists of numbered files; None for others.
        hardware: the hardware decoder of ffmpeg that decodes it, such as "cuda"; empty for the CPU.
        hardware_refused: why no hardware decoder does; empty if one does, or none was wanted.
    """

    path: Path
    index: int
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation: int
    tilt: float
    mirrored: bool
    frame_rate: Fraction
    variable: bool
    time_base: Fraction
    start: Fraction
    last_duration: Fraction
    seekable: bool
    jumps: bool
    long_analysis: bool
    decoder: str
    pixel_format: str
    depth: int
    matrix: str
    range: str
    transfer: str
    primaries: str
    hdr: str
    rgb: bool
    alpha: bool
    captions: bool
    deinterlace: Deinterlace
    field_order: str
    interlaced: bool
    duration: Fraction | None
    frames: int | None
    streams: tuple[Stream, ...]
    chapter_languages: Mapping[str, str]
    tags: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sequence: ImageSequence | None = None
    hardware: str = ""
    hardware_refused: str = ""

    @property
    def name(self) -> str:
        """The name of the film in messages."""
        return shown(self.path)

    @property
    def input_options(self) -> dict[str, str]:
        """The options of ffmpeg for opening the file."""
        if self.sequence is not None:
            return self.sequence.input_options
        return dict(LONG_ANALYSIS) if self.long_analysis else {}
