"""Writes a new plugin, a project that can be installed at once, from the templates beside this module."""

from __future__ import annotations

import re
from keyword import iskeyword
from pathlib import Path
from typing import Any

from colorcli.errors import UsageError
from colorcli.plugin.registry import Registry
from colorcli.plugin.spec import API_VERSION

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")  # classes and modules are named after it, too
_USED = {"Callable", "Colorizer", "Metric", "Path", "Recipe", "Tensor"}  # class names in the templates


def write_plugin(name: str, folder: Path, *, trainable: bool = False, metric: bool = False) -> Path:
    """Write a project with a colorizer that works at once.

    Args:
        name: name of the colorizer, which people type after --model.
        folder: where to write; it may exist and contain other files.
        trainable: write a package with a recipe and a folder for weights, instead of a single module.
        metric: write a package with a metric.

    Returns:
        The folder.

    Raises:
        UsageError: the name is not valid or is taken by an installed plugin, a file already exists, or the folder
            cannot be written to.
    """
    values = {**_values(name), "trainable": trainable, "metric": metric, "package": trainable or metric}
    files = {folder / path: _rendered(template, values) for path, template in _files(values).items()}
    for file in files:
        if file.exists():
            raise UsageError(f"{file} already exists; nothing is overwritten.", "Choose another folder with -o.")
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"Cannot write {file}: {error.strerror}.", "Choose another folder with -o.") from error
    return folder


def _files(values: dict[str, Any]) -> dict[str, str]:
    """Name the template of each file."""
    module = values["module"]
    files = {
        "pyproject.toml": "pyproject.toml",
        f"{module}/__init__.py" if values["package"] else f"{module}.py": "module.py",
        f"tests/test_{values['identifier']}.py": "test.py",
        "README.md": "README.md",
        ".github/workflows/ci.yml": "ci.yml",
        ".gitignore": "gitignore",
    }
    if values["trainable"]:
        files |= {
            f"{module}/recipe.py": "recipe.py",
            f"{module}/recipes/default.toml": "recipe.toml",
            f"{module}/weights/README.md": "weights.md",
        }
    if values["metric"]:
        files[f"{module}/metric.py"] = "metric.py"
    return files


def _rendered(template: str, values: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # nothing needs escaping in Python, TOML and Markdown
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{template}.template").render(values)


def _values(name: str) -> dict[str, Any]:
    """Return the values for the templates, for a valid name that is not taken."""
    class_name = "".join(word.capitalize() for word in re.split("[_-]", name))
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A colorizer's name must be lowercase letters and digits, with single - or _ between them, got {name!r}.",
            "It must start with a letter, as in sunset.",
        )
    if iskeyword(class_name) or class_name in _USED:
        raise UsageError(
            f"{name} would need a class named {class_name}, which already has a meaning.", "Choose another name."
        )
    for plugin in Registry().plugins():
        if name == plugin.name or name in plugin.colorizers:
            raise UsageError(f"The name {name} is taken by {plugin.distribution}.", "Choose another.")
    identifier = name.replace("-", "_")
    return {
        "name": name,
        "identifier": identifier,
        "module": f"colorcli_{identifier}",
        "class_name": class_name,
        "api": API_VERSION,
    }
