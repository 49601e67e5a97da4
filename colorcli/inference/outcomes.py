"""What became of the jobs of a run: one outcome for each picture and each film. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from colorcli.errors import ColorcliError
    from colorcli.jobs import Job

PictureKind: TypeAlias = Literal["color", "entropy", "copy", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """What became of a job; see `PictureOutcome` and `FilmOutcome`.

    Attributes:
        job: the input, and the output that was planned.
        seconds: seconds of work. Pictures that share a pass through the network share its time.
        done_before: an earlier run with the same model and settings made the output.
        error: why the output is missing; None if it was made.
        hints: the hints that the colors follow, as they are written on the command line.
        remarks: sentences for the user without their final period, such as what the output could not keep.
    """

    job: Job
    seconds: float = 0.0
    done_before: bool = False
    error: ColorcliError | None = None
    remarks: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def output(self) -> Path:
        """The file that was written, or would have been."""
        return self.job.target


@dataclass(frozen=True)
class PictureOutcome(Outcome):
    """What became of a picture.

    Attributes:
        kind: "color" for a colored picture, "entropy" for a map of how uncertain its colors are, "copy" for one that
            was already in color and was copied, "skipped" for one that is left out, as an output of an earlier run is.
        notes: what the colorizer reports about the picture, such as the category that a router chose.
        copied_to: where a copy is; its format, and so its suffix, is that of the input.
        seed: seed of the sampled coloring; None for the usual one.
    """

    kind: PictureKind = "color"
    copied_to: Path | None = None
    notes: Mapping[str, str | float] = field(default_factory=dict)
    seed: int | None = None

    @property
    def output(self) -> Path:
        """The file that was written, or would have been."""
        return self.copied_to or self.job.target


@dataclass(frozen=True)
class FilmFigures:
    """What was counted while a film was colorized.

    Attributes:
        frames: number of frames in the output.
        made_before: how many of them an earlier run had made.
        predicted: how many of the others went through the network.
        shots: among the others.
        fps: frames colorized per second of work.
        codec: ffmpeg's name of the video encoder.
        copied: the streams that were copied, such as "audio aac (eng)".
    """

    frames: int
    made_before: int
    predicted: int
    shots: int
    fps: float
    codec: str
    copied: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilmOutcome(Outcome):
    """What became of a film.

    Attributes:
        target: the output, if its container required another suffix than planned.
        figures: None where nothing was colorized: after an error, and for a film that was done before.
    """

    target: Path | None = None
    figures: FilmFigures | None = None

    @property
    def output(self) -> Path:
        """The file that was written, or would have been."""
        return self.target or self.job.target
