"""`colorcli paper`: repeat the experiment of a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.messages import report_error
from colorcli.cli.model_options import device_option, license_option, offline_option, precision_option
from colorcli.cli.output_files import OutputFolder
from colorcli.cli.progress import tracked
from colorcli.cli.subcommands import CommandWithSubcommands
from colorcli.cli.training import Hardware, missing, train_run
from colorcli.errors import ColorcliError, UsageError, WeightsError, did_you_mean

if TYPE_CHECKING:
    from colorcli.experiments.declaration import Experiment


@click.command(cls=CommandWithSubcommands)
@click.argument("name", metavar="EXPERIMENT", required=False)
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=OutputFolder(), help="Folder to write to.")
@click.option(
    "--scale",
    default="short",
    show_default=True,
    help="How large the experiment is: short, full (as in the paper), or another scale that its file declares.",
)
@click.option(
    "--into",
    "markdown",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Markdown file in which to replace the experiment's tables.",
)
@device_option
@precision_option
@offline_option
@license_option
@click.option("--list", "as_list", is_flag=True, help="List the experiments and their papers.")
@click.pass_context
def paper(
    ctx: click.Context,
    name: str | None,
    data: Path | None,
    folder: Path | None,
    scale: str,
    markdown: Path | None,
    device: str,
    precision: str,
    offline: bool,
    accept_license: bool,
    as_list: bool,
) -> int:
    """Repeat the experiment of a paper on photographs of your own.

    EXPERIMENT is a name (see --list) or a TOML file, and DATA a folder of color photographs. Its networks are trained
    and evaluated; the folder gets page.html and page.md with the tables of the paper, its printed figures beside those
    measured here, sheets and curves. The same command resumes an experiment that was stopped or killed.

    With --into, the tables also replace what is between two comments in a Markdown file; if the file lacks them, an
    error says what to add.

    `colorcli paper mirflickr` sorts the photographs of MIRFLICKR-25000 for the experiment edinburgh.
    """
    if as_list:
        return _list()
    if name is None or data is None or folder is None:
        given = {"EXPERIMENT": name, "DATA": data, "-o": folder}
        raise missing(given, "colorcli paper edinburgh photos/ -o edinburgh")
    from colorcli.experiments.block import replace_block, split_page
    from colorcli.experiments.conclusion import conclude
    from colorcli.experiments.declaration import read_experiment
    from colorcli.experiments.measured import RunOptions

    experiment = read_experiment(_find(name), scale)
    if markdown:
        split_page(markdown, experiment.name)  # before hours of training, not after them
    if accept_license:
        _accept_licenses(experiment)
    problems: list[ColorcliError] = []
    if stopped := _train(experiment, data, folder, Hardware(device, precision), problems):
        return stopped
    options = RunOptions(device, precision, offline)
    done = conclude(experiment, folder, options=options, problems=problems, command=command_line(ctx), watch=tracked)
    if markdown:
        replace_block(markdown, experiment.name, done.result)
    for problem in done.problems:
        report_error(problem)
    click.echo("\n".join(str(file) for file in done.files))
    return 1 if done.problems else 0


def _find(name: str) -> Path:
    """Find an experiment file by its name or path.

    Raises:
        UsageError: no plugin has an experiment of this name.
    """
    if name.endswith(".toml"):
        return Path(name)
    from colorcli.plugin.registry import Registry

    known = Registry().experiments()
    if name not in known:
        raise UsageError(f"Experiment not found: {name}.", did_you_mean(name, known))
    return known[name]


def _train(experiment: Experiment, data: Path, folder: Path, hardware: Hardware, problems: list[ColorcliError]) -> int:
    """Train the runs that are not trained yet; add an error for each whose pretrained weights are not available."""
    from colorcli.experiments.conclusion import RUNS
    from colorcli.experiments.training import recipe_of
    from colorcli.plugin.registry import Registry

    registry = Registry()
    for number, run in enumerate(experiment.runs):
        click.echo(f"Training {run.name}, {number + 1} of {len(experiment.runs)}.", err=True)
        colorizer = registry.get(run.colorizer)
        file = recipe_of(experiment, run, colorizer)
        try:
            if stopped := train_run(colorizer, file, data, folder / RUNS / run.name, None, hardware):
                return stopped
        except WeightsError as error:
            problems.append(type(error)(f"{run.name} cannot be trained: {error.message}", error.hint))
    return 0


def _accept_licenses(experiment: Experiment) -> None:
    from colorcli.plugin.registry import Registry
    from colorcli.weights import licenses

    for variant in experiment.variants:
        if variant.model:
            licenses.accept(*Registry().resolve(variant.model))


def _list() -> int:
    from colorcli.cli.columns import align
    from colorcli.experiments.declaration import read_title
    from colorcli.plugin.registry import Registry

    rows = [(name, *read_title(path)) for name, path in Registry().experiments().items()]
    click.echo("\n".join(align(rows)))
    return 0


@paper.subcommand
@click.command()
@click.argument("photographs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("annotations", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace an existing manifest.csv.")
def mirflickr(photographs: Path, annotations: Path, overwrite: bool) -> None:
    """Write manifest.csv with the six categories of the Edinburgh paper for MIRFLICKR-25000.

    PHOTOGRAPHS is the folder with im1.jpg to im25000.jpg; ANNOTATIONS is that with animals.txt, baby.txt and so on.
    """
    from colorcli.cli.columns import align
    from colorcli.experiments.mirflickr import write_manifest

    counts = write_manifest(photographs, annotations, overwrite=overwrite)
    click.echo("\n".join(align((category, str(count)) for category, count in sorted(counts.items()))))
