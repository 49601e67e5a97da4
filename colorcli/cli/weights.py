"""`colorcli weights`: weights on this machine and on the Hugging Face Hub."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorcli.cli.columns import align
from colorcli.cli.messages import report_error, report_note
from colorcli.cli.model_options import complete_model, license_option, offline_option
from colorcli.cli.progress import Progress
from colorcli.errors import ColorcliError, PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from colorcli.colorizer import Colorizer, Weights
    from colorcli.weights.hub import Watch


@click.group()
def weights() -> None:
    """List, fetch, check, import and publish weights."""


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_weights(as_json: bool) -> None:
    """List weights: size, license, where they are, and how their sha256 begins."""
    facts = [_facts(*each) for each in _every()]
    if as_json:
        import json

        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        rows = [(f["name"], _megabytes(f["size"]).rjust(9), f["license"], f["where"], f["sha256"][:12]) for f in facts]
        click.echo("\n".join(align([("WEIGHTS", "SIZE".rjust(9), "LICENSE", "WHERE", "SHA256"), *rows])))


def _facts(colorizer: Colorizer, tag: str, weights: Weights) -> dict[str, Any]:
    from colorcli.weights.resolver import path_of

    path = path_of(weights)
    here, elsewhere = ("bundled", "missing") if weights.bundled else ("cached", "on the Hub")
    return {
        "name": f"{colorizer.name}.{tag}",
        "size": weights.size,
        "license": weights.license,
        "where": here if path else elsewhere,
        "sha256": weights.sha256,
        "repo": weights.repo or None,
        "file": weights.file,
        "revision": weights.revision or None,
        "path": str(path) if path else None,
        "source": weights.source,
    }


def _every() -> list[tuple[Colorizer, str, Weights]]:
    from colorcli.plugin.registry import Registry

    colorizers = Registry().colorizers().values()
    return [(colorizer, tag, weights) for colorizer in colorizers for tag, weights in colorizer.weights.items()]


def _named(name: str) -> tuple[Colorizer, str, Weights]:
    """Find the weights of a name; a bare one stands for the first."""
    from colorcli.errors import WeightsNotFound
    from colorcli.plugin.registry import Registry
    from colorcli.weights.resolver import tagged

    colorizer, tag = Registry().resolve(name)
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    tag = tag or next(iter(colorizer.weights))
    return colorizer, tag, tagged(colorizer, tag)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


# From the Hub


@weights.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1, shell_complete=complete_model)
@click.option("--all", "everything", is_flag=True, help="All weights of all colorizers.")
@license_option
@offline_option
def pull(names: tuple[str, ...], everything: bool, accept_license: bool, offline: bool) -> int:
    """Fetch weights, verify them, and print where they are.

    MODEL is COLORIZER.TAG; a bare COLORIZER stands for its first tag.
    """
    from colorcli.weights import licenses, locate

    if bool(names) == everything:
        raise UsageError("Give the names of models, or --all.", "`colorcli weights list` shows them.")
    wanted = _every() if everything else [_named(name) for name in names]
    failed = 0
    for colorizer, tag, weights in wanted:
        if accept_license:
            licenses.accept(colorizer, tag)
        try:
            with _bar(f"{colorizer.name}.{tag}", weights.size) as watch:
                click.echo(str(locate(colorizer, tag, offline=offline, watch=watch).path))
        except ColorcliError as error:
            if len(wanted) == 1:
                raise
            report_error(error)
            failed += 1
    return 1 if failed else 0


@contextmanager
def _bar(name: str, size: int) -> Iterator[Watch]:
    """Show on a terminal how far a download is, from its first byte on."""
    progress = Progress(name, size, unit="bytes")
    try:
        yield lambda arrived: progress.advance(count=arrived)
    finally:
        progress.stop()


# On this machine


@weights.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Read the weights that are here, and compare them with their manifests.

    Without MODEL, all of them.
    """
    from colorcli.weights.resolver import path_of
    from colorcli.weights.verification import verified

    failed = 0
    for colorizer, tag, weights in [_named(name) for name in names] or _every():
        path, name = path_of(weights), f"{colorizer.name}.{tag}"
        if path is None:
            failed += weights.bundled or bool(names)
            click.echo(f"{name}: {'missing' if weights.bundled else 'not here'}")
            continue
        try:
            verified(path, weights, afresh=True)
        except ColorcliError as error:
            failed += 1
            click.echo(f"{name}: wrong")
            again = "Install the plugin again." if weights.bundled else f"Fetch it again: colorcli weights pull {name}"
            report_error(ColorcliError(error.message, again))
        else:
            click.echo(f"{name}: as it should be")
    return 1 if failed else 0


@weights.command()
@click.argument("name", metavar="MODEL")
def path(name: str) -> None:
    """Print where weights are on this machine.

    MODEL is COLORIZER.TAG; a bare COLORIZER stands for the best that are here.
    """
    from colorcli.plugin.registry import Registry
    from colorcli.weights import locate

    located = locate(*Registry().resolve(name), offline=True)
    click.echo(str(located.path))


@weights.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(yes: bool) -> None:
    """Delete downloads that are not needed any more.

    These are the ones that no manifest names any more, and what is left of downloads that were killed. What other
    programs have downloaded stays.
    """
    from colorcli.weights.cache import find_waste

    waste = find_waste(weights for _, _, weights in _pinned())
    if not waste.files:
        click.echo("There is nothing to delete.", err=True)
        return
    for name, size in waste.files.items():
        click.echo(f"{name}  {_megabytes(size)}")
    if _agreed(f"Delete {_megabytes(sum(waste.files.values()))}?", yes):
        waste.remove()
        click.echo("Deleted.", err=True)


def _pinned() -> list[tuple[Colorizer, str, Weights]]:
    """Give all weights that are in use, sure that none is forgotten."""
    import os

    from colorcli.plugin.manager import ONLY
    from colorcli.plugin.registry import Registry

    if ONLY in os.environ:
        raise UsageError(f"{ONLY} is set: what other plugins need is not known.", "Run once without it.")
    for plugin in Registry().plugins():
        if plugin.errors:
            raise PluginError(
                f"The plugin {plugin.name} is broken: which weights it needs is not known.",
                "Uninstall or repair it; `colorcli plugins` says what is wrong.",
            )
    return _every()


def _agreed(question: str, yes: bool) -> bool:
    import sys

    if not yes and not sys.stdin.isatty():
        raise UsageError("Nobody is here to be asked.", "Add --yes.")
    return yes or click.confirm(question, err=True)


# In and out


@weights.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", "name", required=True, help="COLORIZER, or COLORIZER.TAG whose network it has.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write this file instead of FILE.safetensors.")
def import_weights(file: Path, name: str, output: Path | None) -> None:
    """Check a checkpoint, and write it as safetensors.

    FILE is safetensors, or what PyTorch saves, in the layout of the network or a published one. It has to fit the
    network exactly. A manifest table is written beside the result.
    """
    from colorcli.plugin.registry import Registry
    from colorcli.weights.importer import import_file

    click.echo(str(import_file(file, *Registry().resolve(name), output)))


@weights.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="OWNER/NAME", help="Repository on the Hub; made where there is none.")
@click.option("--license", required=True, metavar="SPDX", help="Of the weights, as in CC-BY-4.0.")
@click.option("--trained-on", metavar="TEXT", help="The data, in a sentence.")
@click.option("--no-samples", is_flag=True, help="Leave out the sample sheet, which shows photographs of the data.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", type=click.Path(path_type=Path), metavar="FOLDER", help="Write it to FOLDER instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def publish(
    run: Path,
    repo: str,
    license: str,  # noqa: A002
    trained_on: str | None,
    no_samples: bool,
    private: bool,
    dry_run: Path | None,
    yes: bool,
) -> None:
    """Publish a training run on the Hub.

    That is its best weights, their manifest table, a model card and pictures; what is uploaded is shown before.
    """
    from tempfile import TemporaryDirectory

    from colorcli.publishing.release import pack
    from colorcli.publishing.release import publish as upload

    with TemporaryDirectory(prefix="colorcli-") as folder:
        parcel = pack(
            run, dry_run or Path(folder), repo=repo, license=license, trained_on=trained_on, samples=not no_samples
        )
        if trained_on is None:
            said = parcel.weights.trained_on
            report_note(f"of the data the card says only: {said}. --trained-on TEXT says more.")
        if dry_run:
            click.echo("\n".join(str(file) for file in parcel.files))
            return
        _show(parcel.files)
        where = "a private repository" if private else "where everybody sees it"
        if _agreed(f"Upload this to {repo}, {where}?", yes):
            click.echo(upload(parcel, private=private))
            click.echo(f"To use it: --weights {parcel.uri}", err=True)


def _show(files: Sequence[Path]) -> None:
    click.echo("\n".join(align([(file.name, _megabytes(file.stat().st_size)) for file in files])), err=True)
    click.echo("\n" + next(f for f in files if f.name == "README.md").read_text(encoding="utf-8"), err=True)
