import sys
from importlib.metadata import EntryPoint
from textwrap import dedent
from uuid import uuid4

import pytest

from colorcli import API_VERSION
from colorcli.errors import ColorizerNotFound, PluginError, UsageError
from colorcli.plugin.registry import Registry, split_name
from tests.site_packages import SitePackages, working


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    monkeypatch.delenv("COLORCLI_PLUGINS", raising=False)
    return site


@pytest.fixture
def unique():
    """A distribution that no other test has imported a module of."""
    return f"plugin-{uuid4().hex[:8]}"


def broken(name):
    return next(plugin for plugin in Registry().plugins() if plugin.name == name)


def test_the_colorizers_of_this_distribution_come_in_by_the_same_door():
    assert Registry().get("zhang").name == "zhang"
    zhang = next(plugin for plugin in Registry().plugins() if plugin.name == "zhang")
    assert (zhang.distribution, zhang.colorizers, zhang.errors) == ("colorcli", ("zhang",), ())


def test_an_installed_plugin_is_found_by_name(site, unique):
    site.add(unique, working("plain"), "plain")
    assert Registry().get("plain").summary == "Stays gray."


def test_asking_for_one_colorizer_imports_no_other_plugin(site, unique):
    site.add(unique, working("plain"), "plain")
    other = f"other-{unique}"
    site.add(other, working("other"), "other")
    Registry().get("plain")
    assert other.replace("-", "_") not in sys.modules


def test_a_colorizer_named_otherwise_than_its_entry_point_is_found_too(site, unique):
    site.add(unique, working("plain"), "collection")
    assert Registry().get("plain").name == "plain"


NOT_A_PLUGIN = {
    "does not import": ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    "is not python": ("def (", "SyntaxError"),
    "leaves the program": ("raise SystemExit('bye')", "SystemExit: bye"),
    "has no hook": ("", "implements no hook"),
    "fails in its hook": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register):\n    1 / 0",
        "ZeroDivisionError",
    ),
    "misspells its hook": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizer(register):\n    pass",
        "it implements an unknown hook, register_colorizer. Did you mean register_colorizers",
    ),
    "asks for an argument that there is not": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register, more):\n    pass",
        "more",
    ),
    "is for a newer plugin API": (
        "colorcli_api = 99\n" + dedent(working("odd")),
        "it needs version 99 of the plugin API, and colorcli 0.1.0 has version 1; upgrade colorcli: pip install",
    ),
    "states an API that is no number": (
        "colorcli_api = '1'\n" + dedent(working("odd")),
        "colorcli_api must be a whole number, got '1'",
    ),
    "imports what only a newer colorcli has": (
        "from colorcli import Upscaler",
        "cannot import name 'Upscaler' from 'colorcli'",
    ),
    "registers something else": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register):\n    register('sunset')",
        "'sunset', which is not an instance of colorcli.Colorizer",
    ),
    "registers a class": (
        working("odd").replace("Plain()", "Plain"),
        "Plain'>, which is not an instance of colorcli.Colorizer",
    ),
    "has a name with a dot": (
        working("odd.one"),
        "Plain: name must be lowercase letters, digits, - and _, got 'odd.one'",
    ),
    "registers a name twice": (working("odd") + "        register(Plain())\n", "it registers the name odd twice"),
}


@pytest.mark.parametrize(("source", "reason"), NOT_A_PLUGIN.values(), ids=NOT_A_PLUGIN)
def test_a_broken_plugin_is_reported_and_the_others_go_on(site, unique, source, reason):
    site.add(unique, source, "odd")
    site.add(f"good-{unique}", working("plain"), "plain")
    registry = Registry()
    assert {"plain", "zhang"} <= set(registry.colorizers())
    odd = broken("odd")
    assert odd.distribution == unique
    assert len(odd.errors) == 1
    assert reason in odd.errors[0]


def test_a_plugin_that_misses_a_name_of_colorcli_hears_that_it_may_be_for_another_version(site, unique):
    site.add(unique, "from colorcli.color import lab", "odd")
    assert broken("odd").errors[0].endswith("; it may be for another version of colorcli (this is 0.1.0)")


@pytest.mark.parametrize("needed", range(1, API_VERSION + 1))
def test_a_plugin_for_this_api_or_an_older_one_works(site, unique, needed):
    site.add(unique, f"colorcli_api = {needed}\n" + dedent(working("plain")), "plain")
    assert Registry().get("plain").name == "plain"


def test_asking_for_a_broken_plugin_says_why_it_is_broken(site, unique):
    site.add(unique, "import nothing_of_that_name", "odd", version="2.1")
    with pytest.raises(PluginError, match=f"odd \\({unique} 2.1\\) is broken: ModuleNotFoundError") as caught:
        Registry().get("odd")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_taken_name_is_an_error_that_names_both_distributions(site, unique):
    site.add(f"a-{unique}", working("plain"), "plain")
    site.add(f"b-{unique}", working("plain"), "plain")
    first, second = (plugin for plugin in Registry().plugins() if plugin.name == "plain")
    assert first.colorizers == ("plain",)
    assert first.errors == ()
    assert second.colorizers == ()
    assert second.errors == (f"the name plain is taken: a-{unique} and b-{unique} both register it",)


def test_nobody_takes_the_name_of_a_built_in_colorizer(site, unique):
    site.add(f"a-{unique}", working("zhang"), "zhang")
    assert type(Registry().get("zhang")).__module__ == "colorcli_zhang"
    assert type(Registry().colorizers()["zhang"]).__module__ == "colorcli_zhang"


def test_a_name_belongs_to_the_entry_point_of_that_name(site, unique):
    site.add(f"a-{unique}", working("plain"), "collection")
    site.add(f"b-{unique}", working("plain"), "plain")
    expected = f"b_{unique}".replace("-", "_")
    assert type(Registry().get("plain")).__module__ == expected
    assert type(Registry().colorizers()["plain"]).__module__ == expected


def test_an_unknown_colorizer_is_answered_with_the_nearest_names_and_how_to_get_more():
    with pytest.raises(ColorizerNotFound, match="Colorizer not found: zang") as caught:
        Registry().get("zang")
    assert "Did you mean zhang?" in caught.value.hint
    assert "pip install" in caught.value.hint


def test_only_the_plugins_in_the_environment_variable_are_loaded(site, unique, monkeypatch):
    site.add(unique, working("plain"), "plain")
    monkeypatch.setenv("COLORCLI_PLUGINS", "plain")
    assert set(Registry().colorizers()) == {"plain"}
    monkeypatch.setenv("COLORCLI_PLUGINS", "plain, zhang")
    assert set(Registry().colorizers()) == {"plain", "zhang"}


def test_an_empty_environment_variable_loads_no_plugin(monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert Registry().plugins() == []
    with pytest.raises(ColorizerNotFound) as caught:
        Registry().get("zhang")
    assert "COLORCLI_PLUGINS is set" in caught.value.hint


def test_a_misspelled_plugin_in_the_environment_variable_is_an_error(monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "zang")
    with pytest.raises(UsageError, match=r"that is not installed: zang.*zhang"):
        Registry()


# Plugins that are not installed


def test_a_plugin_that_is_not_installed_comes_last_and_takes_no_name(site, unique, monkeypatch):
    module = unique.replace("-", "_")
    (site.folder / f"{module}.py").write_text(dedent(working("zhang")))
    plugin = Registry([EntryPoint("odd", module, "colorcli")]).plugins()[-1]
    assert (plugin.name, plugin.distribution, plugin.version) == ("odd", f"{module} (not installed)", "")
    assert plugin.errors == (f"the name zhang is taken: colorcli and {module} (not installed) both register it",)
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert [each.name for each in Registry([EntryPoint("odd", module, "colorcli")]).plugins()] == ["odd"]


def test_it_stands_for_the_installed_one_of_the_same_module(site, unique):
    site.add(unique, working("plain"), "plain")
    registry = Registry([EntryPoint("plain", unique.replace("-", "_"), "colorcli")])
    (plugin,) = (plugin for plugin in registry.plugins() if plugin.name == "plain")
    assert plugin.distribution.endswith("(not installed)")
    assert plugin.errors == ()


@pytest.mark.parametrize(
    ("name", "parts"),
    [("zhang", ("zhang", None)), ("zhang.eccv16", ("zhang", "eccv16")), ("zhang.v1.2", ("zhang", "v1.2"))],
)
def test_a_name_splits_into_colorizer_and_tag(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize("name", ["", ".eccv16", "zhang."])
def test_half_a_name_is_an_error(name):
    with pytest.raises(UsageError, match=r"A model must be COLORIZER or COLORIZER\.TAG"):
        split_name(name)
