"""`--shard`: which part of the pictures is this machine's, as written or as the cluster's scheduler says."""

from __future__ import annotations

import os

import click

_SLURM = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT")
_KUBERNETES = "JOB_COMPLETION_INDEX"  # counts from 0; no variable contains the number of pods


def read_shard(text: str) -> tuple[int, int]:
    """Read `I/N`, the I-th of N parts; or `auto` or `auto/N`, for the part that a scheduler assigned.

    `auto` reads the variables of Slurm's job arrays; `auto/N` also that of an indexed Kubernetes job of N parts.

    Returns:
        (I, N), 1 <= I <= N.

    Raises:
        BadParameter: the text has another form, or no scheduler assigned one of N parts.
    """
    part, slash, parts = text.partition("/")
    if part == "auto" and (parts.isdecimal() or not slash):
        return _assigned(int(parts) if slash else None)
    if slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise click.BadParameter(f"must be I/N with 1 <= I <= N, such as 1/4, auto or auto/N; got {text!r}.")


def _assigned(count: int | None) -> tuple[int, int]:
    slurm = [os.environ.get(name, "") for name in _SLURM]
    kubernetes = os.environ.get(_KUBERNETES, "")
    if all(map(str.isdecimal, slurm)):
        task, first, tasks = map(int, slurm)
        step = os.environ.get("SLURM_ARRAY_TASK_STEP", "1")
        part, parts = (task - first) // max(1, int(step) if step.isdecimal() else 1) + 1, count or tasks
    elif not kubernetes.isdecimal():
        raise click.BadParameter(f"auto needs a Slurm job array ({_SLURM[0]}) or a Kubernetes job ({_KUBERNETES}).")
    elif count is None:
        raise click.BadParameter("auto must be followed by the number of completions of the Kubernetes job: auto/N.")
    else:
        part, parts = int(kubernetes) + 1, count
    if not 1 <= part <= parts:
        raise click.BadParameter(f"auto found part {part} of {parts}; the array must be numbered without gaps.")
    return part, parts
