"""`colorcli weights`: manage weights on this machine and on the Hugging Face Hub."""

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
    from colorcli.weights.hub import ProgressCallback


@click.group()
def weights() -> None:
    """List, download, verify, import and publish weights."""


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_weights(as_json: bool) -> None:
    """List all weights with their size, license and location."""
    facts = [_facts(*each) for each in _all_weights()]
    if as_json:
        import json

        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        rows = [(f["name"], _megabytes(f["size"]).rjust(9), f["license"], f["where"], f["sha256"][:12]) for f in facts]
        click.echo("\n".join(align([("WEIGHTS", "SIZE".rjust(9), "LICENSE", "WHERE", "SHA256"), *rows])))


def _facts(colorizer: Colorizer, tag: str, weights: Weights) -> dict[str, Any]:
    from colorcli.weights.pins import recorded
    from colorcli.weights.resolver import local_path

    path, weights = local_path(weights), recorded(weights)
    here = "bundled" if weights.bundled else "cached"
    elsewhere = "missing" if weights.bundled else "to import" if weights.page else "on the Hub"
    return {
        "name": f"{colorizer.name}.{tag}",
        "size": weights.size,
        "license": weights.license,
        "where": here if path else elsewhere,
        "sha256": weights.sha256,
        "repo": weights.repo or None,
        "file": weights.file,
        "revision": weights.revision or None,
        "page": weights.page or None,
        "path": str(path) if path else None,
        "source": weights.source,
    }


def _all_weights() -> list[tuple[Colorizer, str, Weights]]:
    from colorcli.plugin.registry import Registry

    colorizers = Registry().colorizers().values()
    return [(colorizer, tag, weights) for colorizer in colorizers for tag, weights in colorizer.weights.items()]


def _named(name: str) -> tuple[Colorizer, str, Weights]:
    """Find weights by name; a colorizer's name selects its first tag."""
    from colorcli.errors import WeightsNotFound
    from colorcli.plugin.registry import Registry
    from colorcli.weights.resolver import find_tag

    colorizer, tag = Registry().resolve(name)
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    tag = tag or next(iter(colorizer.weights))
    return colorizer, tag, find_tag(colorizer, tag)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


# From the Hub


@weights.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1, shell_complete=complete_model)
@click.option("--all", "everything", is_flag=True, help="Download all weights of all colorizers.")
@license_option
@offline_option
def pull(names: tuple[str, ...], everything: bool, accept_license: bool, offline: bool) -> int:
    """Download weights, verify them, and print their paths.

    MODEL is COLORIZER.TAG; COLORIZER alone selects its first tag.
    """
    from colorcli.weights import licenses, locate

    if bool(names) == everything:
        raise UsageError("MODEL or --all is required.", "`colorcli weights list` lists the models.")
    on_hub = (each for each in _all_weights() if not each[2].page)
    wanted = list(on_hub) if everything else [_named(name) for name in names]
    failed = 0
    for colorizer, tag, weights in wanted:
        if accept_license:
            licenses.accept(colorizer, tag)
        try:
            with _bar(f"{colorizer.name}.{tag}", weights.size) as progress:
                click.echo(str(locate(colorizer, tag, offline=offline, progress=progress).path))
        except ColorcliError as error:
            if len(wanted) == 1:
                raise
            report_error(error)
            failed += 1
    return 1 if failed else 0


@contextmanager
def _bar(name: str, size: int) -> Iterator[ProgressCallback]:
    """Show the progress of a download on a terminal, once its first byte has arrived."""
    progress = Progress(name, size, unit="bytes")
    try:
        yield lambda arrived: progress.advance(count=arrived)
    finally:
        progress.stop()


# On this machine


@weights.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Compare the weights on this machine with their manifests.

    Verifies every file, or only those of each MODEL.
    """
    from colorcli.weights.resolver import local_path
    from colorcli.weights.verification import verify as verify_file

    failed = 0
    for colorizer, tag, weights in [_named(name) for name in names] or _all_weights():
        path, name = local_path(weights), f"{colorizer.name}.{tag}"
        if path is None:
            failed += weights.bundled or bool(names)
            click.echo(f"{name}: {'missing' if weights.bundled else 'not downloaded'}")
            continue
        try:
            verify_file(path, weights, reread=True)
        except ColorcliError as error:
            failed += 1
            click.echo(f"{name}: corrupt")
            again = "Reinstall the plugin." if weights.bundled else f"Download it again: colorcli weights pull {name}"
            report_error(ColorcliError(error.message, again))
        else:
            click.echo(f"{name}: ok")
    return 1 if failed else 0


@weights.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def prune(yes: bool) -> None:
    """Delete downloads that are no longer needed.

    These are downloads that no manifest names anymore, and leftovers of interrupted ones. Files that other programs
    downloaded are kept.
    """
    from colorcli.weights.cache import find_unused

    unused = find_unused(weights for _, _, weights in _pinned())
    if not unused.sizes:
        click.echo("Nothing to delete.", err=True)
        return
    for name, size in unused.sizes.items():
        click.echo(f"{name}  {_megabytes(size)}")
    if _confirm(f"Delete {_megabytes(sum(unused.sizes.values()))}?", yes):
        unused.delete()
        click.echo("Deleted.", err=True)


def _pinned() -> list[tuple[Colorizer, str, Weights]]:
    """Return all weights that are in use, and refuse if some may be missing from the list."""
    import os

    from colorcli.plugin.manager import ONLY
    from colorcli.plugin.registry import Registry

    if ONLY in os.environ:
        raise UsageError(
            f"Cannot prune while {ONLY} is set: other plugins may need the files.", f"Unset {ONLY} and run again."
        )
    for plugin in Registry().plugins():
        if plugin.errors:
            raise PluginError(
                f"Cannot prune while the plugin {plugin.name} is broken: it may need the files.",
                "Uninstall or repair it; `colorcli plugins` shows the error.",
            )
    return _all_weights()


def _confirm(question: str, yes: bool) -> bool:
    import sys

    if not yes and not sys.stdin.isatty():
        raise UsageError("Cannot ask for confirmation: standard input is not a terminal.", "Add --yes.")
    return yes or click.confirm(question, err=True)


# In and out


@weights.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", "name", required=True, help="COLORIZER, or COLORIZER.TAG with the same network.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write this file instead of FILE.safetensors.")
@license_option
def import_weights(file: Path, name: str, output: Path | None, accept_license: bool) -> None:
    """Check a checkpoint and write it as safetensors.

    FILE is a safetensors file, or one saved by PyTorch or Torch7, in the network's own layout or a published one. It
    must fit the network exactly. A manifest table is written beside the result.
    """
    from colorcli.plugin.registry import Registry
    from colorcli.weights.importer import import_file

    click.echo(str(import_file(file, *Registry().resolve(name), output, accept_license=accept_license)))


@weights.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--repo", required=True, metavar="OWNER/NAME", help="Repository on the Hub; created if it does not exist."
)
@click.option("--license", required=True, metavar="SPDX", help="License of the weights, such as CC-BY-4.0.")
@click.option("--trained-on", metavar="TEXT", help="Training data, in a sentence.")
@click.option("--no-samples", is_flag=True, help="Leave out the sample sheet, which shows photographs from the data.")
@click.option("--private", is_flag=True, help="Create the repository as private.")
@click.option(
    "--dry-run",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the files to FOLDER and upload nothing.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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

    Uploads its best weights with their manifest table, a model card and pictures, after showing them.
    """
    from tempfile import TemporaryDirectory

    from colorcli.publishing.release import make_bundle
    from colorcli.publishing.release import publish as upload

    with TemporaryDirectory(prefix="colorcli-") as folder:
        bundle = make_bundle(
            run, dry_run or Path(folder), repo=repo, license=license, trained_on=trained_on, samples=not no_samples
        )
        if trained_on is None:
            data = bundle.weights.trained_on
            report_note(f"the card describes the data only as: {data}. Use --trained-on TEXT to say more.")
        if dry_run:
            click.echo("\n".join(str(file) for file in bundle.files))
            return
        _print_files(bundle.files)
        audience = "private" if private else "public"
        if _confirm(f"Upload these files to {repo} ({audience})?", yes):
            click.echo(upload(bundle, private=private))
            click.echo(f"Use with: --weights {bundle.uri}", err=True)


def _print_files(files: Sequence[Path]) -> None:
    click.echo("\n".join(align([(file.name, _megabytes(file.stat().st_size)) for file in files])), err=True)
    click.echo("\n" + next(f for f in files if f.name == "README.md").read_text(encoding="utf-8"), err=True)
