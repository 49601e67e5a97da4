"""Empty files, and what is planned for them."""

from __future__ import annotations

from pathlib import Path

from colorcli.jobs import plan


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def moves(*inputs: str, output: str | None = None, **options) -> dict[str, str]:
    """Source -> target of a plan that has no problems."""
    found = plan([Path(each) for each in inputs], Path(output) if output else None, **options)
    assert found.problems == []
    return {job.source.as_posix(): job.target.as_posix() for job in found.jobs}


def problems(*inputs: str, output: str | None = None, **options) -> list[str]:
    found = plan([Path(each) for each in inputs], Path(output) if output else None, **options)
    return [str(error) for _, error in found.problems]
