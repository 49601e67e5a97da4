"""A job is a file to read and one to write; a plan is the jobs of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.errors import ColorcliError


@dataclass(frozen=True)
class Job:
    """One file to read and one to write.

    Attributes:
        source: the file to read.
        target: the file to write.
        relative: the source's path within its input folder, or its name, with slashes on every system.
        film: whether it is a film, by its name, or by its first bytes if its name does not tell.
    """

    source: Path
    target: Path
    relative: str
    film: bool = False


@dataclass
class Plan:
    """The jobs of a run, in order, and the inputs that cannot be done, with the reasons."""

    jobs: list[Job] = field(default_factory=list)
    problems: list[tuple[Path, ColorcliError]] = field(default_factory=list)

    @property
    def films(self) -> list[Job]:
        """The jobs that are films."""
        return [job for job in self.jobs if job.film]
