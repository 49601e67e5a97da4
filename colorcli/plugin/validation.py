"""Checks what plugins register, field by field, so that nothing else has to.

Each function returns the problems it finds, one phrase each; an empty list means that all is well.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.colorizer import Colorizer, Option, Weights, declares
from colorcli.errors import UsageError
from colorcli.weights.manifest import weights_problems

if TYPE_CHECKING:
    from colorcli.gray import Gray
    from colorcli.metric import Metric

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # no dot, which separates the tag
RANDOM = "random"  # a tag that no weights may have: `--weights random` means untrained
MAX_SUMMARY_LENGTH = 100  # characters: the width of a terminal
_MAX_LISTED_LENGTH = 500  # characters, beyond which it would fill the list of models
_TAG = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED = {"self", "network", "lightness", "hints", "seed", "place"}  # arguments of the methods
_MISSING = object()


def problems_of_colorizer(colorizer: Colorizer) -> list[str]:
    """Check every attribute of a colorizer, its weights and its options."""
    found = [
        *_name(colorizer),
        *_summary(getattr(colorizer, "summary", _MISSING)),
        *_sizes(colorizer),
        *_weights(colorizer.weights),
        *problems_of_options(colorizer.options),
    ]
    folder = colorizer.recipe_folder
    if folder is not None and not isinstance(folder, Path):
        found.append(f"recipe_folder must be a pathlib.Path or None, got {_shown(folder)}")
    return found or [*_defaults(colorizer), *_arguments(colorizer)]


def problems_of_metric(metric: Metric) -> list[str]:
    """Check every attribute of a metric."""
    heading = getattr(metric, "heading", _MISSING)
    texts = {"heading": heading, "definition": metric.definition}
    found = [*_name(metric)]
    found += [f"{name} must be text, got {_shown(text)}" for name, text in texts.items() if not isinstance(text, str)]
    if isinstance(heading, str) and not heading.strip():
        found.append("heading must not be empty")
    if type(metric.decimals) is not int or not 0 <= metric.decimals <= 10:
        found.append(f"decimals must be a whole number from 0 to 10, got {_shown(metric.decimals)}")
    if metric.better not in {"higher", "lower", ""}:
        found.append(f'better must be "higher", "lower" or "", got {_shown(metric.better)}')
    for name in ("alone", "additive"):
        if type(getattr(metric, name)) is not bool:
            found.append(f"{name} must be True or False, got {_shown(getattr(metric, name))}")
    return found


def problems_of_gray(gray: Gray) -> list[str]:
    """Check every attribute of a way of making gray."""
    found = [*_name(gray), *_summary(gray.summary)]
    if not callable(gray.convert):
        found.append(f"convert must be a function, got {_shown(gray.convert)}")
    return found


def problems_of_experiment(path: Path) -> list[str]:
    """Check the file of an experiment; its contents are checked when it is read."""
    if path.suffix != ".toml" or not NAME.fullmatch(path.stem):
        return [f"the name of {path} must be lowercase letters, digits, - and _, followed by .toml"]
    return [] if path.is_file() else [f"{path} not found"]


def problems_of_options(options: object) -> list[str]:
    """Check the options that a colorizer declares."""
    if not isinstance(options, Sequence) or isinstance(options, str):
        return [f"options must be a tuple of colorcli.Option, got {_shown(options)}"]
    found = [
        f"options must be a tuple of colorcli.Option, got one that contains {_shown(option)}"
        for option in options
        if not isinstance(option, Option)
    ]
    declared = [option for option in options if isinstance(option, Option)]
    names = [option.name for option in declared]
    found += [f"the option {name} is declared twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    return found + [f"the option {option.name}: {problem}" for option in declared for problem in _option(option)]


def _name(registered: Colorizer | Metric | Gray) -> list[str]:
    name = getattr(registered, "name", _MISSING)
    if isinstance(name, str) and NAME.fullmatch(name):
        return []
    return [f"name must be lowercase letters, digits, - and _, got {_shown(name)}"]


def _summary(summary: object) -> list[str]:
    if not isinstance(summary, str) or not summary.strip():
        return [f"summary must be a line of text, got {_shown(summary)}"]
    if "\n" in summary:
        return ["summary must be a single line"]
    if len(summary) > _MAX_LISTED_LENGTH:
        return [f"summary must be at most {_MAX_LISTED_LENGTH} characters, got {len(summary):,}"]
    return []


def _sizes(colorizer: Colorizer) -> list[str]:
    size, step, longest = colorizer.size, colorizer.multiple_of, colorizer.longest_side
    found = []
    if size is not None and not _positive(size):
        found.append(f"size must be a whole number of pixels or None, got {_shown(size)}")
    if not _positive(step):
        found.append(f"multiple_of must be a whole number of pixels, got {_shown(step)}")
    if longest is None or found:
        return found
    if not _positive(longest) or longest < step:
        found.append(f"longest_side must be a whole number of pixels from {step}, got {_shown(longest)}")
    elif size is not None:
        found.append(f"longest_side is for colorizers whose size is None, got size {size}")
    return found


def _positive(number: object) -> bool:
    return type(number) is int and number > 0


def _weights(weights: object) -> list[str]:
    if not isinstance(weights, Mapping):
        return [f"weights must be a mapping of tags to colorcli.Weights, got {_shown(weights)}"]
    found = []
    for tag, each in weights.items():
        if not isinstance(tag, str) or not _TAG.fullmatch(tag) or tag == RANDOM:
            found.append(f"a tag must be letters, digits, - and _, and not {RANDOM}, got {_shown(tag)}")
        elif not isinstance(each, Weights):
            found.append(f"the weights {tag} must be a colorcli.Weights, got {_shown(each)}")
        else:
            found += [f"the weights {tag}: {problem}" for problem in weights_problems(each)]
    return found


def _option(option: Option) -> list[str]:
    found = []
    if not isinstance(option.name, str) or not option.name.isidentifier() or option.name in _RESERVED:
        found.append(f"its name must be one that an argument of `predict` can have, got {_shown(option.name)}")
    if not isinstance(option.help, str) or not option.help.strip():
        found.append("its help must not be empty")
    if type(option.default) not in {bool, int, float, str}:
        return [*found, f"its default must be a number, text, True or False, got {_shown(option.default)}"]
    found += _bounds(option)
    if not found:
        try:
            option.check(option.default)
        except UsageError:
            found.append(f"its default must be {option.describe()}, got {_shown(option.default)}")
    return found


def _bounds(option: Option) -> list[str]:
    low, high = option.minimum, option.maximum
    if isinstance(option.default, bool):
        return []
    if isinstance(option.default, str):
        if option.choices:
            texts = isinstance(option.choices, (tuple, list)) and all(isinstance(each, str) for each in option.choices)
            return [] if texts else [f"its choices must be a tuple of texts, got {_shown(option.choices)}"]
        if not _positive(high):
            return ["text needs `choices`, or `maximum` for its length in characters"]
        return []
    if option.choices:
        return ["a number has a minimum and a maximum instead of choices"]
    found = []
    for name, bound in (("minimum", low), ("maximum", high)):
        if bound is None:
            found.append(f"it has no {name}")
        elif type(bound) not in {int, float} or not math.isfinite(bound):
            found.append(f"its {name} must be a finite number, got {_shown(bound)}")
    if not found and low is not None and high is not None and low > high:
        found.append(f"its minimum {low:g} is above its maximum {high:g}")
    return found


def _defaults(colorizer: Colorizer) -> list[str]:
    """Check the defaults that weights bring for options."""
    options = {option.name: option for option in colorizer.options}
    found = []
    for tag, weights in colorizer.weights.items():
        for name, value in weights.options.items():
            if name not in options:
                found.append(f"the weights {tag} set the option {name}, which is not declared")
                continue
            try:
                options[name].check(value)
            except UsageError:
                wanted = options[name].describe()
                found.append(f"the weights {tag}: the option {name} must be {wanted}, got {_shown(value)}")
    return found


def _arguments(colorizer: Colorizer) -> list[str]:
    """Check that the methods take every option."""
    values = {option.name: option.default for option in colorizer.options}
    found = []
    for method, more in (
        ("predict", {}),
        ("explain", {}),
        ("paint", {}),
        ("predict_with_hints", {"hints": None}),
        ("sample", {"seed": 0}),
        ("likely_colors", {"place": (0.5, 0.5)}),
    ):
        if method == "predict" or declares(colorizer, method):
            arguments: Mapping[str, Any] = {**more, **values}
            try:
                inspect.signature(getattr(colorizer, method)).bind(None, None, **arguments)
            except TypeError as error:
                taken = ", ".join(["network", "lightness", *arguments])
                found.append(f"{method} must take the arguments {taken}: {error}")
            except ValueError:  # the method has no signature that Python can see
                continue
    return found


def _shown(value: object) -> str:
    """Show a value briefly, as it is written in Python."""
    if value is _MISSING:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
