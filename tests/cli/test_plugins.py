import json

import pytest

from colorcli.cli import main
from tests.site_packages import SitePackages, working


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    return site


def plugins(capsys, *args):
    assert main(["plugins", *args]) == 0
    return capsys.readouterr().out


def test_every_plugin_is_listed_with_its_distribution_and_what_it_provides(capsys, site):
    site.add("plugins-plain", working("plain"), "plain", version="2.1")
    table = [line.split() for line in plugins(capsys).splitlines()]
    assert ["zhang", "colorcli", "0.1.0", "zhang"] in table
    assert ["plain", "plugins-plain", "2.1", "plain"] in table


def test_the_columns_line_up(capsys, site):
    site.add("plugins-aligned", working("aligned"), "aligned")
    header, *rows = plugins(capsys).splitlines()
    column = header.index("VERSION")
    assert all(row[column - 1] == " " and row[column] != " " for row in rows)


def test_a_broken_plugin_is_listed_with_the_reason(capsys, site):
    site.add("plugins-broken", "import nothing_of_that_name", "odd")
    text = plugins(capsys)
    assert "odd     plugins-broken  1.0      nothing" in text
    assert text.endswith("\n\nbroken: odd: ModuleNotFoundError: No module named 'nothing_of_that_name'\n")


def test_json_has_the_records(capsys, site):
    site.add("plugins-json", "import nothing_of_that_name", "odd")
    (odd,) = (record for record in json.loads(plugins(capsys, "--json")) if record["name"] == "odd")
    assert odd == {
        "name": "odd",
        "distribution": "plugins-json",
        "version": "1.0",
        "colorizers": [],
        "errors": ["ModuleNotFoundError: No module named 'nothing_of_that_name'"],
    }


def test_no_plugin_at_all_is_said_in_words(capsys, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert plugins(capsys) == "No plugin is installed.\n"
