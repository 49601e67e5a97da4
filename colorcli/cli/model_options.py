"""The options that choose and load models, the same for every command that has them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from colorcli.cli.messages import report_note
from colorcli.cli.option_groups import option_group
from colorcli.cli.process import imports_without_collection
from colorcli.errors import ColorcliError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from colorcli.inference.model import Model
    from colorcli.inference.pipeline import Pipeline

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # not generic in older versions of click

_PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_ENGINES = ("torch", "openvino")


class CommaSeparated(_Text):
    """Values separated by commas, each of which is checked; the text stays as it is.

    Args:
        choices: the values that are allowed; any where there are none.
    """

    name = "text"

    def __init__(self, choices: Sequence[str] = ()) -> None:
        self._choices = choices

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the values.

        Raises:
            BadParameter: one of them is empty or not allowed.
        """
        for each in value.split(","):
            if not each or (self._choices and each not in self._choices):
                expected = f"one of {', '.join(self._choices)}" if self._choices else "a value"
                self.fail(f"must be {expected}, or several separated by commas; got {each!r}.", param, ctx)
        return value


def complete_model(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """List the models whose names begin with what was typed, for completion in a shell."""
    from colorcli.plugin.registry import Registry

    colorizers = Registry().colorizers().values()
    names = [(colorizer.name, colorizer.summary) for colorizer in colorizers]
    names += [
        (f"{colorizer.name}.{tag}", weights.license)
        for colorizer in colorizers
        for tag, weights in colorizer.weights.items()
    ]
    return [CompletionItem(name, help=text) for name, text in names if name.startswith(incomplete)]


weights_option = click.option(
    "--weights", metavar="TAG|FILE|hf://...", help="Weights to use instead of the best available ones."
)
pairs_option = click.option(
    "-p", "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="Option of the colorizer; may be repeated."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="Device to run on: auto, cpu, cuda, cuda:1, mps."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(_PRECISIONS),
    default="auto",
    show_default=True,
    help="Numeric precision of the network.",
)
offline_option = click.option("--offline", is_flag=True, help="Never use the network.")
license_option = click.option(
    "--accept-license", is_flag=True, help="Accept the license of the weights, even if it restricts their use."
)
_engine_option = click.option(
    "--engine",
    type=click.Choice([*_ENGINES, "auto"]),
    default="torch",
    show_default=True,
    help="Inference engine; openvino (an extra) is for CPUs; auto measures once which is faster.",
)
_swept_pairs_option = click.option(
    "-p",
    "--option",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE[,...]",
    help="Option of the colorizers; several values are compared with each other.",
)
_SEVERAL_OF_EACH = (
    click.option("--device", type=CommaSeparated(), default="auto", show_default=True, help="Devices to run on."),
    click.option(
        "--precision",
        type=CommaSeparated(_PRECISIONS),
        default="auto",
        show_default=True,
        help="Numeric precisions to run in.",
    ),
    click.option(
        "--engine", type=CommaSeparated(_ENGINES), default="torch", show_default=True, help="Inference engines."
    ),
)


@dataclass(frozen=True)
class ModelOptions:
    """Which weights a model gets, and where and how it runs."""

    weights: str | None = None
    pairs: tuple[str, ...] = ()  # NAME=VALUE, options of the colorizer
    device: str = "auto"
    precision: str = "auto"
    engine: str = "torch"
    offline: bool = False
    accept_license: bool = False

    def load(self, name: str) -> Model:
        """Load a model by its name, and print the note that comes with it.

        Raises:
            ColorizerNotFound: no plugin provides it.
            WeightsError: the weights are not available, or do not fit.
            DeviceError: the device, precision or engine is not available.
        """
        with imports_without_collection():
            from colorcli.inference.loading import load

        self.accept(name)
        model = load(
            name,
            weights=self.weights,
            device=self.device,
            precision=self.precision,
            engine=self.engine,
            offline=self.offline,
        )
        if model.note:
            report_note(model.note)
        return model

    def named_by_weights(self) -> str | None:
        """Return the colorizer that a weights file names; None if they are not a file, or it names none."""
        if self.weights is None or not Path(self.weights).is_file():
            return None
        from colorcli.weights import read_header

        return read_header(Path(self.weights)).colorizer or None

    def accept(self, name: str) -> None:
        """Record that the license of a model's weights is accepted, if --accept-license says so."""
        if self.accept_license:
            from colorcli.plugin.registry import Registry, split_mixture
            from colorcli.weights import licenses

            for model, _ in split_mixture(name):
                colorizer, tag = Registry().resolve(model)
                licenses.accept(colorizer, tag or self.weights)

    def combinations(self) -> Iterator[ModelOptions]:
        """Return every combination of several devices, precisions and engines."""
        several = (self.device.split(","), self.precision.split(","), self.engine.split(","))
        for device, precision, engine in itertools.product(*several):
            yield replace(self, device=device, precision=precision, engine=engine)


@dataclass(frozen=True)
class ModelArgument:
    """One MODEL of a command that compares several, such as `NAME=COLORIZER.TAG`, `COLORIZER:FILE` or `A+B`.

    Attributes:
        label: the name of the model's row; empty for the model's own name.
        name: name of the colorizer, with or without a tag; or of a mixture.
        weights: a tag, a file, a file on the Hub, or the folder of a training run; None for none.
    """

    label: str
    name: str
    weights: str | None

    @classmethod
    def parse(cls, text: str) -> ModelArgument:
        """Read what was typed.

        Raises:
            UsageError: the name of the row, the colorizer or the weights are empty.
        """
        from colorcli.plugin.registry import split_mixture

        label, equals, mixture = text.rpartition("=")
        if len(split_mixture(mixture)) > 1 and (label.strip() or not equals):
            return cls(label.strip(), mixture, None)
        head, colon, weights = text.partition(":")
        label, equals, name = head.rpartition("=")
        if not name or (equals and not label.strip()) or (colon and not weights):
            raise UsageError(
                f"A model must be [NAME=]COLORIZER[.TAG|:FILE|:RUN], got {text!r}.",
                "For example zhang, zhang.eccv16, or mine=zhang:runs/zhang.",
            )
        return cls(label.strip(), name, weights or None)

    def load(self, options: ModelOptions) -> Model:
        """Load the model, with these weights instead of those in the options.

        Raises:
            UsageError: weights are also given by --weights, or the folder is not that of a run with weights.
            ColorcliError: as `ModelOptions.load`.
        """
        if self.weights is None:
            return options.load(self.name)
        if options.weights is not None:
            raise UsageError(
                f"Weights are given twice: --weights {options.weights} and {self.weights}.", "Use only one."
            )
        weights = Path(self.weights)
        if not weights.is_dir():
            return replace(options, weights=self.weights).load(self.name)
        if not (best := weights / "best.safetensors").is_file():
            raise UsageError(
                f"{weights} has no best.safetensors.",
                "Choose the folder of a training run that has completed an epoch.",
            )
        return replace(options, weights=str(best)).load(self.name)


# One model; one whose options are set elsewhere; several, each with every value of an option that has several; one
# model, on several devices
model_options = option_group(
    "model_options",
    ModelOptions,
    [
        weights_option,
        pairs_option,
        device_option,
        precision_option,
        _engine_option,
        offline_option,
        license_option,
    ],
)
served_model_options = option_group(
    "model_options",
    ModelOptions,
    [weights_option, device_option, precision_option, _engine_option, offline_option, license_option],
)
models_options = option_group(
    "model_options",
    ModelOptions,
    [
        click.argument("models", metavar="MODEL...", nargs=-1, shell_complete=complete_model),
        click.option("--weights", metavar="TAG|FILE|hf://...", help="Weights to use, for a single MODEL."),
        _swept_pairs_option,
        device_option,
        precision_option,
        _engine_option,
        offline_option,
        license_option,
    ],
)
bench_options = option_group(
    "model_options",
    ModelOptions,
    [weights_option, pairs_option, *_SEVERAL_OF_EACH, offline_option, license_option],
)


def load_pipelines(models: Sequence[str], options: ModelOptions) -> tuple[list[Pipeline], list[ColorcliError]]:
    """Load models, each with the option values that it has: one pipeline for every combination of them.

    Each is tried on a small picture, so that a plugin that does not work is found before the others start.

    Args:
        models: `[NAME=]COLORIZER[.TAG|:FILE|:RUN]` each. NAME becomes the name of the pipeline.
        options: options for all models. If an option has several values, as in `temperature=0.05,0.38,1`, the names of
            the pipelines say which is which.

    Returns:
        The pipelines, and an error for each model that cannot be used.

    Raises:
        UsageError: a model or a value is given twice, weights are given for several models, or no model has an option.
        ColorcliError: none of the models can be used.
    """
    if not models:
        raise UsageError("No MODEL given.", "`colorcli models` lists them.")
    if options.weights is not None and len(models) > 1:
        raise UsageError(
            f"--weights {options.weights} is for one MODEL, got {len(models)}.",
            "Write each with its tag, as in zhang.starter zhang.eccv16.",
        )
    pipelines: dict[str, Pipeline] = {}
    problems: list[ColorcliError] = []
    for argument in map(ModelArgument.parse, models):
        try:
            model = argument.load(options)
            _try(model)
        except UsageError:
            raise
        except ColorcliError as error:
            problems.append(error)
            continue
        from colorcli.inference.pipeline import Pipeline  # after `load`, whose import of torch is quicker

        names = _option_names(model)
        own = [pair for pair in options.pairs if pair.partition("=")[0] in names or len(models) == 1]
        for label, chosen in _sweep(model, own):
            title = f"{argument.label or model.name} {label}".strip()
            if title in pipelines:
                raise UsageError(f"{title} is given twice.", "Name the models, as in a=zhang:runs/a b=zhang:runs/b.")
            pipelines[title] = Pipeline(model, options=model.read_options(chosen), name=title)
    if problems and not pipelines:
        raise problems[0]
    if not problems:  # an option may be one of a model that cannot be used
        _check_every_option_used(pipelines.values(), options.pairs)
    return list(pipelines.values()), problems


def _try(model: Model) -> None:
    """Predict the chroma of a small picture."""
    import torch

    unit = model.colorizer.multiple_of
    side = model.size or -(-64 // unit) * unit
    model.predict(torch.linspace(0, 100, side).expand(1, 1, side, side))


def _option_names(model: Model) -> set[str]:
    return {option.name for option in model.colorizer.options}


def _sweep(model: Model, pairs: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Return every combination of the options' values, preceded by the label that sets it apart from the others.

    `t=1,2` and `u=3` are `t=1` for `t=1` and `u=3`, then `t=2`. Free text may have commas of its own.
    """
    text = {o.name for o in model.colorizer.options if isinstance(o.default, str) and not o.choices}
    swept: list[list[str]] = []
    for pair in pairs:
        name, equals, values = pair.partition("=")
        swept.append([pair] if name in text or not equals else [f"{name}={value}" for value in values.split(",")])
    for chosen in itertools.product(*swept):
        label = [pair for pair, among in zip(chosen, swept, strict=True) if len(among) > 1]
        yield " ".join(label), list(chosen)


def _check_every_option_used(pipelines: Iterable[Pipeline], pairs: Sequence[str]) -> None:
    names = {name for pipeline in pipelines for name in _option_names(pipeline.model)}
    for name in (pair.partition("=")[0] for pair in pairs):
        if name not in names:
            available = f"Available options: {', '.join(sorted(names))}." if names else "They have no options."
            raise UsageError(f"None of these models has an option {name!r}.", available)
