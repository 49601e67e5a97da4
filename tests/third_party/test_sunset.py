"""A plugin that is not part of colorcli is installed as users would, and is found, listed and tested."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from colorcli.testing import ColorizerSuite
from tests.third_party.installing import install, python

SUNSET = Path(__file__).with_name("colorcli-sunset")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(SUNSET, tmp_path_factory.mktemp("sunset"))


def test_it_is_listed_beside_our_own(installed):
    records = json.loads(python(installed, "-m", "colorcli", "plugins", "--json").stdout)
    assert {
        "name": "sunset",
        "distribution": "colorcli-sunset",
        "version": "0.1.0",
        "colorizers": ["sunset"],
        "metrics": [],
        "grays": [],
        "experiments": [],
        "errors": [],
    } in records
    assert "zhang" in [record["name"] for record in records]


def test_its_colorizer_is_found_by_name(installed):
    program = "from colorcli.plugin.registry import Registry; print(Registry().get('sunset').summary)"
    assert python(installed, "-c", program).stdout.startswith("Warm highlights and cool shadows")


def test_its_own_tests_pass(installed, tmp_path):
    tests = copytree(SUNSET / "tests", tmp_path / "tests")
    done = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_it_keeps_every_promise(installed):
    verdicts = json.loads(python(installed, "-m", "colorcli", "plugins", "check", "sunset", "--json").stdout)
    assert len(verdicts) == 1 + len([name for name in vars(ColorizerSuite) if name.startswith("test_")])
    assert [verdict for verdict in verdicts if not verdict["kept"]] == []


def test_it_is_absent_where_it_is_not_installed():
    done = subprocess.run([sys.executable, "-m", "colorcli", "plugins"], capture_output=True, text=True, check=True)
    assert "sunset" not in done.stdout
