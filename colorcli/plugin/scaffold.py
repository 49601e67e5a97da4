"""A new plugin: a whole distribution, from the templates beside this module."""

from __future__ import annotations

import re
from keyword import iskeyword
from pathlib import Path
from string import Template

from colorcli.errors import UsageError
from colorcli.plugin.registry import Registry
from colorcli.plugin.spec import API_VERSION

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")  # a class is named after it, too
_IN_USE = {"Callable", "Colorizer", "Tensor"}  # by the template
_FILES = {  # template -> where it goes
    "pyproject.toml": "pyproject.toml",
    "module.py": "$module.py",
    "test.py": "tests/test_$identifier.py",
    "README.md": "README.md",
    "ci.yml": ".github/workflows/ci.yml",
    "gitignore": ".gitignore",
}


def write_plugin(name: str, folder: Path) -> Path:
    """Write a distribution with a colorizer that works at once.

    Args:
        name: of the colorizer: what people type after --model.
        folder: where the distribution goes; it may be there already, with other files in it.

    Returns:
        The folder.

    Raises:
        UsageError: the name cannot be one or is taken by what is installed, a file would be overwritten, or the
            folder cannot be written to.
    """
    words = _words(name)
    files = {
        folder / Template(path).substitute(words): _TEMPLATES / f"{template}.template"
        for template, path in _FILES.items()
    }
    for file in files:
        if file.exists():
            raise UsageError(f"{file} is there already, and nothing is overwritten.", "Choose another folder with -o.")
    try:
        for file, template in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            text = Template(template.read_text(encoding="utf-8")).substitute(words)
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", "Choose another folder with -o.") from error
    return folder


def _words(name: str) -> dict[str, str]:
    """Give what the templates need, for a name that is fit and free."""
    class_name = "".join(word.capitalize() for word in re.split("[_-]", name))
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a colorizer.",
            "Take small letters and digits, with single - or _ between them, and a letter first, as in sunset.",
        )
    if iskeyword(class_name) or class_name in _IN_USE:
        raise UsageError(f"{name} would need a class of the name {class_name}, which means something else.")
    for plugin in Registry().plugins():
        if name == plugin.name or name in plugin.colorizers:
            raise UsageError(f"The name {name} is taken by {plugin.distribution}.", "Choose another.")
    identifier = name.replace("-", "_")
    return {
        "name": name,
        "identifier": identifier,
        "module": f"colorcli_{identifier}",
        "class_name": class_name,
        "api": str(API_VERSION),
    }
