"""Outputs of another plugin, another version of it, or edited code are not taken for up to date."""

import importlib
import sys
from uuid import uuid4

import pytest

from colorcli.isolation.origin import Origin, digest, installed, origin_of
from colorcli.plugin.registry import Registry
from tests.site_packages import working


def test_a_colorizer_is_traced_to_its_distribution(site, unique):
    site.add(unique, working("plain"), "plain", version="2.1")
    assert origin_of(Registry().get("plain")) == Origin(unique, "2.1")
    assert origin_of(Registry().get("zhang")).distribution == "colorcli"


def test_a_class_that_no_entry_point_provides_has_no_distribution():
    colorizer = type(Registry().get("zhang"))
    assert origin_of(type("Own", (colorizer,), {"__module__": __name__})()).distribution == "colorcli"
    own = type("Own", (colorizer.__mro__[1],), {"__module__": __name__, "name": "own", "build": 1, "predict": 1})
    assert origin_of(own()) == Origin()
    assert len(digest(own())) == 64


def test_the_same_code_has_the_same_digest(site, unique):
    site.add(unique, working("plain"), "plain")
    assert digest(Registry().get("plain")) == digest(Registry().get("plain"))


def test_a_different_name_distribution_or_version_changes_the_digest(site, unique):
    source = working("plain") + "        register(type('Other', (Plain,), {'name': 'other'})())\n"
    site.add(f"a-{unique}", source, "plain")
    site.add(f"b-{unique}", source.replace('"plain"', '"third"'), "third")
    plain, other, third = (Registry().get(name) for name in ("plain", "other", "third"))
    assert len({digest(plain), digest(other), digest(third)}) == 3
    (info,) = site.folder.glob("a_*.dist-info")
    before = digest(plain)
    info = info.rename(info.with_name(info.name.replace("1.0", "1.1")))
    (info / "METADATA").write_text((info / "METADATA").read_text().replace("1.0", "1.1"))
    assert digest(plain) != before


def test_a_plugin_that_is_installed_later_is_found(site, unique):
    before = installed()
    assert installed() is before
    site.add(unique, working("plain"), "plain")
    assert {each.name for each in installed()} == {"plain", *(each.name for each in before)}


def test_editing_a_module_changes_the_digest(site, unique):
    site.add(unique, working("plain"), "plain")
    plain = Registry().get("plain")
    before = digest(plain)
    file = site.folder / f"{unique.replace('-', '_')}.py"
    file.write_text(file.read_text() + "\n# edited\n")
    assert digest(plain) != before


@pytest.mark.parametrize("edited", ["__init__.py", "network.py", "blocks/attention.py"])
def test_any_edited_file_of_a_package_changes_the_digest(tmp_path, monkeypatch, edited):
    package = tmp_path / f"pack_{uuid4().hex[:8]}"
    (package / "blocks").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from colorcli import Colorizer\nclass Plain(Colorizer):\n    name = 'plain'\n    build = predict = None\n"
    )
    (package / "__init__.py").write_text(source)
    (package / "network.py").write_text("width = 1\n")
    (package / "blocks" / "attention.py").write_text("heads = 1\n")
    plain = importlib.import_module(package.name).Plain()
    before = digest(plain)
    assert digest(plain) == before
    (package / edited).write_text((package / edited).read_text() + "# edited\n")
    assert digest(plain) != before


@pytest.mark.parametrize(
    ("edited", "changes"), [("helper.py", True), ("core/network.py", True), ("tests/test_it.py", False)]
)
def test_in_a_projects_folder_what_is_beside_the_module_counts_too_except_tests(
    tmp_path, monkeypatch, edited, changes
):
    monkeypatch.syspath_prepend(tmp_path)
    module = f"single_{uuid4().hex[:8]}"
    (tmp_path / "pyproject.toml").touch()
    source = (
        "from colorcli import Colorizer\nclass Plain(Colorizer):\n    name = 'plain'\n    build = predict = None\n"
    )
    (tmp_path / f"{module}.py").write_text(source)
    (tmp_path / "helper.py").touch()
    for folder in ("core", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    plain = importlib.import_module(module).Plain()
    before = digest(plain)
    (tmp_path / edited).write_text("width = 2\n")
    assert (digest(plain) != before) is changes
    del sys.modules[module]
