"""The plugin API may grow, and never breaks."""

import inspect

import pytest

from colorcli import API_VERSION
from colorcli.plugin import spec

PUBLISHED = {  # by hook, in order; arguments are added at the end and never removed
    "register_colorizers": ("register",),
    "register_metrics": ("register",),
    "register_grays": ("register",),
    "register_experiments": ("register",),
}
HOOKS = {name: value for name, value in vars(spec).items() if hasattr(value, "colorcli_spec")}


def test_every_hook_is_published():
    assert set(HOOKS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_arguments_of_a_hook_are_only_added(name):
    arguments = tuple(inspect.signature(HOOKS[name]).parameters)
    assert arguments[: len(PUBLISHED[name])] == PUBLISHED[name]


def test_the_version_of_the_api_is_a_whole_number():
    assert type(API_VERSION) is int
    assert API_VERSION >= 1
