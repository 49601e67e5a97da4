import logging
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent

import pytest

from colorcli import API_VERSION
from colorcli.errors import ColorizerNotFound, PluginError, UsageError
from colorcli.plugin.manager import PluginManager
from colorcli.plugin.registry import Registry, split_name
from tests.site_packages import working


@pytest.fixture(autouse=True)
def all_plugins(monkeypatch):
    monkeypatch.delenv("COLORCLI_PLUGINS", raising=False)


def broken(name):
    return next(plugin for plugin in Registry().plugins() if plugin.name == name)


def test_built_in_colorizers_are_registered_like_any_other():
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


def test_a_colorizer_with_another_name_than_its_entry_point_is_found(site, unique):
    site.add(unique, working("plain"), "collection")
    assert Registry().get("plain").name == "plain"


@pytest.mark.parametrize(
    "damage",
    [
        lambda info: (info / "METADATA").unlink(),
        lambda info: (info / "entry_points.txt").write_text("[console_scripts]\na line without its sign\n"),
        lambda info: (info / "entry_points.txt").write_bytes(b"[colorcli]\n\xff = x\n"),
    ],
)
def test_a_damaged_distribution_stops_no_other(site, unique, damage):
    site.add(unique, working("plain"), "plain")
    site.add(f"left-{unique}", working("left"), "left")
    damage(site.folder / f"left_{unique.replace('-', '_')}-1.0.dist-info")
    assert Registry().get("plain").name == "plain"
    assert {"plain", "zhang"} <= Registry().colorizers().keys()


def test_a_plugin_that_registers_nothing_is_broken(site, unique):
    site.add(unique, working("plain").replace("register(Plain())", "return Plain()"), "plain")
    assert broken("plain").errors == ("it registers nothing; its hooks must call register(...)",)


NOT_A_PLUGIN = {
    "does not import": ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    "is not python": ("def (", "SyntaxError"),
    "exits the program": ("raise SystemExit('bye')", "SystemExit: bye"),
    "has no hook": ("", "implements no hook"),
    "fails in its hook": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register):\n    1 / 0",
        "ZeroDivisionError",
    ),
    "misspells its hook": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizer(register):\n    pass",
        "it implements an unknown hook, register_colorizer. Did you mean register_colorizers",
    ),
    "has an unknown argument": (
        "from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register, more):\n    pass",
        "more",
    ),
    "is for a newer plugin API": (
        "colorcli_api = 99\n" + dedent(working("odd")),
        "it needs version 99 of the plugin API, and colorcli 0.1.0 has version 1; upgrade colorcli: pip install",
    ),
    "has text for its API": (
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
def test_a_broken_plugin_is_reported_and_the_others_work(site, unique, source, reason):
    site.add(unique, source, "odd")
    site.add(f"good-{unique}", working("plain"), "plain")
    registry = Registry()
    assert {"plain", "zhang"} <= set(registry.colorizers())
    odd = broken("odd")
    assert odd.distribution == unique
    assert len(odd.errors) == 1
    assert reason in odd.errors[0]


def test_a_plugin_that_imports_a_missing_name_may_be_for_another_version(site, unique):
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


def test_no_plugin_takes_the_name_of_a_built_in_colorizer(site, unique):
    site.add(f"a-{unique}", working("zhang"), "zhang")
    assert type(Registry().get("zhang")).__module__ == "colorcli_zhang"
    assert type(Registry().colorizers()["zhang"]).__module__ == "colorcli_zhang"


def test_a_name_belongs_to_the_entry_point_of_that_name(site, unique):
    site.add(f"a-{unique}", working("plain"), "collection")
    site.add(f"b-{unique}", working("plain"), "plain")
    expected = f"b_{unique}".replace("-", "_")
    assert type(Registry().get("plain")).__module__ == expected
    assert type(Registry().colorizers()["plain"]).__module__ == expected


def test_an_unknown_colorizer_is_an_error_with_the_nearest_names_and_how_to_get_more():
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


# Isolation


INVALID_BESIDE_VALID = """
    from colorcli import Colorizer, Metric, hookimpl

    class Plain(Colorizer):
        name = "plain"
        summary = "Stays gray."
        def build(self):
            raise NotImplementedError
        def predict(self, network, lightness):
            raise NotImplementedError

    class Bad(Plain):
        name = "bad"
        summary = None

    class Headless(Metric):
        name = "headless"
        def measure(self, predicted, true):
            return 0.0

    class Headed(Headless):
        name = "headed"
        heading = "headed"

    @hookimpl
    def register_colorizers(register):
        register(Bad())
        register(Plain())

    @hookimpl
    def register_metrics(register):
        register(Headless())
        register(Headed())
"""


def test_what_is_valid_in_a_plugin_is_registered_beside_what_is_not(site, unique):
    site.add(unique, INVALID_BESIDE_VALID, "plain")
    plugin = broken("plain")
    assert (plugin.colorizers, plugin.metrics) == (("plain",), ("headed",))
    assert plugin.errors == (
        "Bad: summary must be a line of text, got None",
        "Headless: heading must be text, got nothing",
    )


RAISES = {
    "SystemExit": "raise SystemExit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "an exception of its own": "class Odd(BaseException): pass\nraise Odd('boom')",
    "endless recursion": "def f(): f()\nf()",
}


@pytest.mark.parametrize("where", ["at import", "in the hook"])
@pytest.mark.parametrize("source", RAISES.values(), ids=RAISES)
def test_whatever_a_plugin_raises_stops_only_that_plugin(site, unique, source, where):
    if where == "in the hook":
        body = "\n".join(f"    {line}" for line in source.splitlines())
        source = f"from colorcli import hookimpl\n@hookimpl\ndef register_colorizers(register):\n{body}\n"
    site.add(unique, source, "odd")
    site.add(f"z-{unique}", working("plain"), "plain")
    registry = Registry()
    assert {"plain", "zhang"} <= set(registry.colorizers())
    (odd,) = (plugin for plugin in registry.plugins() if plugin.name == "odd")
    assert len(odd.errors) == 1


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os; os.chdir('/')", "importing it changes the working directory to /"),
        ("import os; os.environ['CUDA_VISIBLE_DEVICES'] = ''", "importing it changes the environment (CUDA_VISIBLE_"),
        ("import logging; logging.basicConfig(level=0, force=True)", "importing it changes the root logger"),
    ],
)
def test_a_plugin_that_changes_the_process_works_and_is_reported_and_the_change_is_undone(
    site, unique, source, error, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    folder, level = Path.cwd(), logging.root.level
    site.add(unique, source + "\n" + dedent(working("plain")), "plain")
    plugin = broken("plain")
    assert plugin.colorizers == ("plain",)
    assert [each[: len(error)] for each in plugin.errors] == [error]
    assert (Path.cwd(), logging.root.level, os.environ["CUDA_VISIBLE_DEVICES"]) == (folder, level, "3")


def test_what_a_plugin_prints_while_it_is_loaded_goes_to_standard_error(site, unique, capsys):
    source = "print('imported')\n" + dedent(working("plain")).replace(
        "    register(P", "    print('called')\n    register(P"
    )
    site.add(unique, source, "plain")
    assert Registry().get("plain").name == "plain"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "imported\ncalled\n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_that_name.part", "; pip install nothing_of_that_name"),
        ("from colorcli.nothing import x", "; it may be for another version of colorcli (this is "),
        ("import {module}.missing", "is not a package"),
    ],
)
def test_a_failed_import_says_what_to_do(site, unique, source, reason):
    site.add(unique, source.format(module=unique.replace("-", "_")), "odd")
    (error,) = broken("odd").errors
    assert reason in error
    assert ("pip install" in error) is ("pip install" in reason)


# Names


def test_an_entry_point_without_a_colorizer_of_its_name_is_an_error_that_names_them(site, unique):
    site.add(unique, working("plain"), "collection")
    plugin = broken("collection")
    assert plugin.colorizers == ("plain",)
    assert plugin.errors[0].startswith("its entry point must have the name of a colorizer, plain; ")
    with pytest.raises(
        ColorizerNotFound, match=r"collection .* does not provide a colorizer collection, only plain"
    ) as caught:
        Registry().get("collection")
    assert caught.value.hint == "Use --model plain."


METRIC = """
    from colorcli import Metric, hookimpl

    class Redness(Metric):
        name = "redness"
        heading = "redness"
        def measure(self, predicted, true):
            return 0.0

    @hookimpl
    def register_metrics(register):
        register(Redness())
"""


def test_a_taken_name_of_a_metric_is_an_error_that_names_both_distributions(site, unique):
    site.add(f"a-{unique}", METRIC, "one")
    site.add(f"b-{unique}", METRIC, "two")
    one, two = (plugin for plugin in Registry().plugins() if plugin.name in {"one", "two"})
    assert (one.metrics, one.errors) == (("redness",), ())
    assert two.metrics == ()
    assert two.errors == (f"the name redness (a metric) is taken: a-{unique} and b-{unique} both register it",)
    assert type(Registry().metrics()["redness"]).__module__ == f"a_{unique}".replace("-", "_")


GRAY = """
    from colorcli import Gray, hookimpl

    @hookimpl
    def register_grays(register):
        register(Gray("blue-sensitive", "plates that see only blue", lambda rgb: rgb[:, 2:]))
"""


def test_a_taken_name_of_a_gray_is_an_error_too(site, unique):
    site.add(f"a-{unique}", GRAY, "one")
    site.add(f"b-{unique}", GRAY, "two")
    one, two = (plugin for plugin in Registry().plugins() if plugin.name in {"one", "two"})
    assert (one.grays, one.errors) == (("blue-sensitive",), ())
    assert two.errors == (f"the name blue-sensitive (a gray) is taken: a-{unique} and b-{unique} both register it",)
    assert Registry().grays()["blue-sensitive"].summary == "plates that see only blue"


WRONG = """
    from pathlib import Path
    from colorcli import Gray, hookimpl

    @hookimpl
    def register_grays(register):
        register(Gray("Sepia", "", 3))

    @hookimpl
    def register_experiments(register):
        register(Path(__file__).parent / "missing.toml")
        register("sunsets.toml")
"""


def test_a_gray_or_an_experiment_that_is_not_valid_is_an_error_of_its_plugin(site, unique):
    site.add(unique, WRONG, "wrong")
    gray, missing, text = broken("wrong").errors
    assert gray == (
        "Gray: name must be lowercase letters, digits, - and _, got 'Sepia'; summary must be a line of text, got ''; "
        "convert must be a function, got 3"
    )
    assert missing.endswith("missing.toml not found")
    assert text == "it registers 'sunsets.toml', which is not a pathlib.Path"


def test_one_module_with_two_entry_points_is_loaded_once(site, unique):
    site.add(unique, working("plain"), "plain")
    (info,) = site.folder.glob("*.dist-info/entry_points.txt")
    info.write_text(info.read_text() + info.read_text().splitlines()[1].replace("plain =", "second ="))
    assert broken("plain").errors == ()
    assert "already loaded by the entry point plain" in broken("second").errors[0]


@pytest.mark.parametrize(("name", "tag"), [("zhang", None), ("zhang.eccv16", "eccv16"), ("zhang.v1.2", "v1.2")])
def test_a_full_name_is_resolved_to_colorizer_and_tag(name, tag):
    colorizer, found = Registry().resolve(name)
    assert (colorizer.name, found) == ("zhang", tag)


def test_hooks_of_all_plugins_are_called_by_one_manager(site, unique):
    site.add(f"a-{unique}", working("plain"), "plain")
    site.add(f"b-{unique}", METRIC, "colors")
    manager = PluginManager()
    manager.load(manager.plugins)
    by_name = {plugin.name: plugin for plugin in manager.plugins}
    assert set(by_name["plain"].colorizers) == {"plain"}
    assert set(by_name["colors"].metrics) == {"redness"}
    assert set(by_name["zhang"].colorizers) == {"zhang"}


# Plugins that are not installed


def test_a_plugin_that_is_not_installed_comes_last_and_takes_no_name(site, unique, monkeypatch):
    module = unique.replace("-", "_")
    (site.folder / f"{module}.py").write_text(dedent(working("zhang")))
    plugin = Registry([EntryPoint("odd", module, "colorcli")]).plugins()[-1]
    assert (plugin.name, plugin.distribution, plugin.version) == ("odd", f"{module} (not installed)", "")
    assert plugin.errors == (f"the name zhang is taken: colorcli and {module} (not installed) both register it",)
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert [each.name for each in Registry([EntryPoint("odd", module, "colorcli")]).plugins()] == ["odd"]


def test_it_replaces_the_installed_one_of_the_same_module(site, unique):
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
def test_an_incomplete_name_is_an_error(name):
    with pytest.raises(UsageError, match=r"A model must be COLORIZER or COLORIZER\.TAG"):
        split_name(name)
