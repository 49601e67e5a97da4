"""What a recipe does wrong is reported as the plugin's."""

import re

import pytest
import torch
from torch import nn

from colorcli import Recipe
from colorcli.errors import DataError, MissingDependency, PluginError
from colorcli.training.guarded import GuardedRecipe
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli_zhang import Zhang
from colorcli_zhang.recipe import ZhangRecipe

ARGUMENTS = {
    "survey": ([], []),
    "start": (nn.Identity(), None, 3),
    "step": (None,),
    "validate": (nn.Identity(), None),
    "score": ({},),
    "state": (),
    "load": ({},),
}


def call(method, behavior):
    """Call a method of a recipe with this behavior."""
    methods = dict.fromkeys(Recipe.__abstractmethods__, lambda *_: None) | {method: behavior}
    recipe = type("Faulty", (Recipe,), methods)()
    return getattr(GuardedRecipe(recipe, Zhang()), method)(*ARGUMENTS[method])


def raising(error):
    def method(*_):
        raise error

    return method


@pytest.mark.parametrize("method", ARGUMENTS)
@pytest.mark.parametrize("error", [RuntimeError("no bins"), SystemExit(3), KeyboardInterrupt(), KeyError("bins")])
def test_an_error_of_a_recipe_names_the_plugin_and_the_method(method, error):
    with pytest.raises(PluginError, match=rf"zhang.* failed in {method}: {type(error).__name__}"):
        call(method, raising(error))


@pytest.mark.parametrize("method", ARGUMENTS)
def test_a_missing_dependency_is_named(method):
    with pytest.raises(MissingDependency, match="needs the module faiss"):
        call(method, raising(ModuleNotFoundError("No module named 'faiss'", name="faiss")))


@pytest.mark.parametrize("method", ARGUMENTS)
@pytest.mark.parametrize("error", [DataError("too few colors"), torch.OutOfMemoryError("CUDA out of memory.")])
def test_an_error_that_is_not_the_plugins_stays_as_it_is(method, error):
    with pytest.raises(type(error), match=str(error)):
        call(method, raising(error))


@pytest.mark.parametrize("error", [TypeError("betas"), ValueError("Invalid learning rate"), IndexError("betas")])
def test_what_optimizers_raise_for_a_setting_stays_as_it_is(error):
    with pytest.raises(type(error)):
        call("start", raising(error))


@pytest.mark.parametrize(
    ("method", "returned", "expected"),
    [
        ("survey", None, "a dict by names from `survey`, got NoneType"),
        ("survey", {3: 4}, "a dict by names from `survey`, got dict"),
        ("start", None, "the network that fabric.setup returned from `start`, got NoneType"),
        ("step", None, "a dict by names from `step`, got NoneType"),
        ("step", {}, "a dict of at least one tensor from `step`, got dict"),
        ("step", {"loss": 1.0}, "a dict of at least one tensor from `step`, got dict"),
        ("step", {"loss": torch.ones(3)}, "scalars from `step`, got loss of (3,)"),
        ("validate", {}, "a dict of at least one tensor from `validate`, got dict"),
        ("score", {"loss": "low"}, "a dict of at least one number from `score`, got dict"),
        ("state", [], "a dict by names from `state`, got list"),
    ],
)
def test_what_a_recipe_must_not_return_is_named(method, returned, expected):
    with pytest.raises(PluginError, match=re.escape(f"The recipe of zhang must return {expected}.")):
        call(method, lambda *_: returned)


def test_what_a_recipe_prints_goes_to_standard_error(capsys):
    assert call("survey", lambda *_: print("surveying") or {"classes": 3}) == {"classes": 3}
    assert capsys.readouterr() == ("", "surveying\n")


def test_a_run_ends_where_its_recipe_fails(photographs, tiny, tmp_path):
    recipe = type("Faulty", (ZhangRecipe,), {"survey": raising(OSError("no bins"))})
    colorizer = type("Faulty", (Zhang,), {"recipe": lambda _, **settings: recipe(**settings)})()
    with pytest.raises(PluginError, match=r"zhang.* failed in survey: OSError: no bins"):
        next(train(colorizer, read_recipe(tiny), photographs, tmp_path / "run", device="cpu", precision="fp32"))
