import ast
import re
from pathlib import Path

import pytest

from colorcli import errors
from colorcli.errors import ColorcliError, did_you_mean

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and value.__module__ == errors.__name__
}


def drawn_tree():
    """(name, exit code) for every class in the drawing of the module's docstring."""
    return re.findall(r"(?:^    |─ )([A-Z]\w+)\s+(?:exit code )?(\d)", errors.__doc__, flags=re.MULTILINE)


def test_the_tree_in_the_docstring_shows_every_error_with_its_exit_code():
    assert dict(drawn_tree()) == {name: str(error.exit_code) for name, error in CLASSES.items()}


def test_every_error_is_a_colorcli_error():
    assert all(issubclass(error, ColorcliError) for error in CLASSES.values())


def test_an_error_reads_as_its_message_and_its_hint():
    error = ColorcliError("Device not available: tpu.", "Omit --device.")
    assert str(error) == "Device not available: tpu. Omit --device."
    assert str(ColorcliError("Only this.")) == "Only this."


def test_the_errors_do_not_import_click():
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "click" not in imported


@pytest.mark.parametrize(
    ("word", "known", "answer"),
    [
        ("zang", ["zhang", "iizuka"], "Did you mean zhang?"),
        ("xyz", ["zhang", "iizuka"], "Available: iizuka, zhang."),
        ("xyz", [], "None are available."),
    ],
)
def test_the_closest_name_is_suggested(word, known, answer):
    assert did_you_mean(word, known) == answer
