"""The pages for authors of plugins are complete, and what they build is the plugin that is tested."""

import inspect
import re
import shlex
from dataclasses import fields

import pytest

import colorcli
from colorcli import API_VERSION, Batch, Colorizer, Colors, Metric, Option, Recipe, read_manifest
from colorcli.cli import main
from colorcli.inference.loading import load
from colorcli.inference.model import Model
from colorcli.plugin import spec
from colorcli.testing import ColorizerSuite, MetricSuite
from tests.documentation import ROOT, blocks, first_cells, headings, read
from tests.test_architecture import PUBLIC

TUTORIAL = ROOT / "docs" / "writing-a-plugin.md"
HOOKS_PAGE = ROOT / "docs" / "plugin-hooks.md"
PYTHON = ROOT / "docs" / "python-api.md"
SUNSET = ROOT / "tests" / "third_party" / "colorcli-sunset"
HOOKS = [value for value in vars(spec).values() if hasattr(value, "colorcli_spec")]


# The tutorial


def test_the_tutorial_builds_the_plugin_that_is_tested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin = blocks(TUTORIAL, "sh")[0].text.splitlines()[0]
    assert main(shlex.split(begin)[1:]) == 0
    for block in blocks(TUTORIAL, "python"):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    built = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: (SUNSET / name).read_text() for name in built} == built
    assert "class Sunset(Colorizer):" in built[next(name for name in built if name.name == "colorcli_sunset.py")]


def test_what_the_tutorial_shows_of_pyproject_is_in_it():
    shown = next(block.text for block in blocks(TUTORIAL, "toml") if "entry-points" in block.text)
    assert shown in (SUNSET / "pyproject.toml").read_text()


def test_its_manifest_and_its_weights_in_python_are_the_same(tmp_path):
    manifest = next(block for block in blocks(TUTORIAL, "toml") if "sha256" in block.text)
    (tmp_path / "sunset.toml").write_text(manifest.text)
    in_python = {}
    exec(next(block.text for block in blocks(TUTORIAL, "python") if "Weights(" in block.text), in_python)
    assert read_manifest("sunset", tmp_path) == in_python["weights"]


# The hooks


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_every_hook_has_a_section_with_when_it_runs_and_an_example(hook):
    heading = f"{hook.__name__}({', '.join(inspect.signature(hook).parameters)})"
    assert heading in headings(HOOKS_PAGE)
    section = read(HOOKS_PAGE).partition(f"### {heading}\n")[2].partition("\n## ")[0]
    assert "It runs " in section
    assert f"@hookimpl\ndef {hook.__name__}(" in section


@pytest.mark.parametrize("kind", [Colorizer, Recipe, Metric], ids=lambda kind: kind.__name__)
def test_every_method_of_a_plugin_is_documented_with_its_arguments(kind):
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            parameters = inspect.signature(method).parameters.values()
            stars = {inspect.Parameter.VAR_KEYWORD: "**"}
            shown = [each for each in parameters if each.name not in {"self", "args"}]
            arguments = ", ".join(stars.get(each.kind, "") + each.name for each in shown)
            assert f"`{name}({arguments})`" in read(HOOKS_PAGE)


def test_every_attribute_of_a_colorizer_is_documented():
    assert first_cells(HOOKS_PAGE, "attribute") == set(inspect.get_annotations(Colorizer))


def test_every_attribute_of_a_metric_is_documented():
    assert first_cells(HOOKS_PAGE, "attribute of a metric") == set(inspect.get_annotations(Metric))


@pytest.mark.parametrize(("title", "kind"), [("Options", Option), ("The recipe", Batch), ("The metric", Colors)])
def test_every_field_is_documented(title, kind):
    section = read(HOOKS_PAGE).partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    public = {field.name for field in fields(kind) if not field.name.startswith("_")}
    assert public <= set(re.findall(r"`(\w+)`", section))


def test_every_promise_of_the_suite_is_documented():
    for suite, header in ((ColorizerSuite, "test"), (MetricSuite, "test of a metric")):
        assert first_cells(HOOKS_PAGE, header) == {name for name in vars(suite) if name.startswith("test_")}


def test_the_public_modules_on_the_page_are_those_that_built_in_plugins_may_import():
    section = read(HOOKS_PAGE).partition("A plugin imports only")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(colorcli[\w.]*)`", section)) == PUBLIC
    missing = {name for name in PUBLIC - {"colorcli"} if name not in colorcli.__doc__}
    assert missing == set()


def test_the_version_of_the_api_is_the_one_on_the_page():
    assert f"\ncolorcli_api = {API_VERSION}\n" in read(HOOKS_PAGE)


def test_the_recipe_on_the_page_trains():
    page = {}
    exec(next(block.text for block in blocks(HOOKS_PAGE, "python") if "(Recipe)" in block.text), page)
    exec((SUNSET / "colorcli_sunset.py").read_text(), page)

    class Learning(page["Sunset"]):
        def recipe(self):
            return page["LeastSquares"]()

    suite = type("Suite", (ColorizerSuite,), {"colorizer": Learning()})()
    suite.test_training_steps_give_finite_losses_and_change_the_network()
    suite.test_resumed_training_equals_uninterrupted_training()


# Python


def test_every_argument_of_load_and_every_name_of_a_model_is_on_the_page_about_python():
    text = read(PYTHON)
    made = {name for name in vars(colorcli.load("zhang.starter")) if not name.startswith("_")}
    names = {name for name in vars(Model) if not name.startswith("_")} | made | set(inspect.signature(load).parameters)
    planes = {"predict_planes", "sample_planes", "explain_planes", "paint_planes"}
    for_pipelines = {*planes, "predict_with_hints", "uploads"}
    missing = {name for name in names - for_pipelines if not re.search(rf"\b{name}\b", text)}
    assert missing == set()
