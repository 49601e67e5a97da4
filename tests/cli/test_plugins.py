import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.testing import ColorizerSuite
from tests.site_packages import working

SUNSET = (Path(__file__).parents[1] / "third_party" / "colorcli-sunset" / "colorcli_sunset.py").read_text()
PROMISES = [name.removeprefix("test_").replace("_", " ") for name in vars(ColorizerSuite) if name.startswith("test_")]


@pytest.fixture
def unique():
    """A name that no other test has imported a module of."""
    return f"plugin_{uuid4().hex[:8]}"


def plugins(capsys, *args, code=0):
    assert main(["plugins", *args]) == code
    return capsys.readouterr().out


# list


def test_every_plugin_is_listed_with_its_distribution_and_what_it_provides(capsys, site):
    site.add("plugins-plain", working("plain"), "plain", version="2.1")
    table = [line.split() for line in plugins(capsys).splitlines()]
    assert ["zhang", "colorcli", "0.1.0", "zhang,", "experiment", "liege,", "experiment", "rome"] in table
    assert ["plain", "plugins-plain", "2.1", "plain"] in table


def test_the_columns_line_up(capsys, site):
    site.add("plugins-aligned", working("aligned"), "aligned")
    header, *rows = plugins(capsys).splitlines()
    column = header.index("VERSION")
    assert all(row[column - 1] == " " and row[column] != " " for row in rows)


def test_a_broken_plugin_is_listed_with_the_reason(capsys, site):
    site.add("plugins-broken", "import nothing_of_that_name", "odd")
    text = plugins(capsys, code=1)
    assert ["odd", "plugins-broken", "1.0", "nothing"] in [line.split() for line in text.splitlines()]
    reason = "ModuleNotFoundError: No module named 'nothing_of_that_name'; pip install nothing_of_that_name"
    assert text.endswith(f"\n\nbroken: odd: {reason}\n")


@pytest.mark.parametrize("args", [["--json"], ["list", "--json"], ["--json", "list"]], ids=" ".join)
def test_json_has_the_records(capsys, site, args):
    site.add("plugins-json", "import nothing_of_that_name", "odd")
    (odd,) = (record for record in json.loads(plugins(capsys, *args, code=1)) if record["name"] == "odd")
    assert odd == {
        "name": "odd",
        "distribution": "plugins-json",
        "version": "1.0",
        "colorizers": [],
        "errors": ["ModuleNotFoundError: No module named 'nothing_of_that_name'; pip install nothing_of_that_name"],
        "metrics": [],
        "grays": [],
        "experiments": [],
    }


def test_an_empty_list_of_plugins_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert plugins(capsys) == "No plugins are installed.\n"


def test_list_is_the_default_command(capsys):
    assert plugins(capsys, "list") == plugins(capsys)


# new


def test_a_new_plugin_can_be_installed_and_used_at_once(tmp_path):
    """What a newcomer does, in separate processes: `pip install -e`, list, run, check."""
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.jpg")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(site)!r})\n")  # -e works by a .pth
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "PIP_TARGET": str(site),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # how pip is told to use none
    }

    def python(*args):
        done = subprocess.run(
            [sys.executable, "-m", *args], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert python("colorcli", "plugins", "new", "night-sky") == "colorcli-night-sky\n"
    python("pip", "install", "--quiet", "-e", "colorcli-night-sky")
    assert "night-sky" in python("colorcli", "plugins")
    python("colorcli", "run", "--model", "night-sky", "photo.jpg")
    with Image.open(tmp_path / "photo-color.jpg") as colored:
        red, _, blue = colored.convert("RGB").getpixel((30, 60))
    assert red > blue, "sepia"
    assert " broken" not in python("colorcli", "plugins", "check", "night-sky")
    assert " passed" in python("pytest", "-q", "-p", "no:cacheprovider", "colorcli-night-sky/tests")


def test_a_new_plugin_is_written_where_asked_and_says_what_to_do_next(capsys, tmp_path):
    assert main(["plugins", "new", "sunset", "-o", str(tmp_path / "mine")]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'mine'}\n"
    assert f"pip install -e {tmp_path / 'mine'}" in captured.err
    assert (tmp_path / "mine" / "colorcli_sunset.py").is_file()


def test_a_name_that_is_taken_exits_with_2(capsys, tmp_path):
    assert main(["plugins", "new", "zhang", "-o", str(tmp_path)]) == 2
    assert "The name zhang is taken by colorcli" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# check


def verdicts(capsys, what, code):
    return {each["promise"]: each["why"] for each in json.loads(plugins(capsys, "check", what, "--json", code=code))}


def test_every_promise_has_a_verdict(capsys, site, unique):
    site.add(unique, SUNSET, "sunset")
    assert main(["plugins", "check", "sunset"]) == 0
    captured = capsys.readouterr()
    header, *rows = captured.out.splitlines()
    assert header.split() == ["PLUGIN", "PROMISE", "VERDICT", "WHY"]
    assert [row.split("  ")[0] for row in rows] == ["sunset"] * len(rows)
    assert [row.rpartition("kept")[0].partition("sunset")[2].strip() for row in rows[1:]] == PROMISES
    assert captured.err == f"{len(rows)} promises kept, 0 broken\n"


def test_a_broken_promise_is_reported_with_its_reason_and_the_others_are_checked(capsys, site, unique):
    site.add(unique, SUNSET.replace("return warmth * ab", "return warmth * ab / 0"), "sunset")
    found = verdicts(capsys, "sunset", code=1)
    assert list(found)[1:] == PROMISES
    assert "NaN" in found["chroma has two finite channels for every picture"]
    assert found["every field is valid"] == ""


def test_an_error_in_a_promise_is_its_reason_in_one_line(capsys, site, unique):
    site.add(unique, SUNSET.replace("return warmth * ab", "raise SystemExit('good\\nbye')"), "sunset")
    found = verdicts(capsys, "sunset", code=1)
    assert found["the same picture gets the same chroma again"] == "SystemExit: good bye"


def test_a_plugin_is_checked_by_the_name_of_its_colorizer_too(capsys, site, unique):
    site.add(unique, SUNSET, "collection")
    assert set(verdicts(capsys, "sunset", code=1)) == {
        "the plugin loads and registers valid colorizers or metrics",
        *PROMISES,
    }


def test_a_plugin_without_a_colorizer_keeps_no_promise(capsys, site, unique):
    site.add(unique, SUNSET.replace("register(Sunset())", "pass"), "sunset")
    loads = "the plugin loads and registers valid colorizers or metrics"
    assert verdicts(capsys, "sunset", code=1) == {loads: "it registers nothing; its hooks must call register(...)"}


@pytest.fixture
def unpacked(tmp_path, unique, monkeypatch):
    """A distribution that is not installed."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / f"{unique}.py").write_text(SUNSET)
    (folder / "pyproject.toml").write_text(f'[project.entry-points.colorcli]\nsunset = "{unique}"\n')
    return folder


def test_a_plugin_that_is_not_installed_is_checked_by_its_folder(capsys, unpacked):
    assert not any(verdicts(capsys, str(unpacked), code=0).values())


def test_a_folder_may_keep_its_modules_in_src(capsys, unpacked, unique):
    (unpacked / "src").mkdir()
    (unpacked / f"{unique}.py").rename(unpacked / "src" / f"{unique}.py")
    assert not any(verdicts(capsys, str(unpacked), code=0).values())


def test_a_plugin_that_is_not_installed_is_checked_by_its_module(capsys, unpacked, unique):
    assert not any(verdicts(capsys, str(unpacked / f"{unique}.py"), code=0).values())


@pytest.mark.parametrize("file", ["", "__init__.py"])
def test_a_plugin_that_is_not_installed_is_checked_by_its_package(capsys, unpacked, unique, file):
    package = unpacked / unique
    package.mkdir()
    (unpacked / f"{unique}.py").rename(package / "__init__.py")
    assert not any(verdicts(capsys, str(package / file), code=0).values())


def test_the_folder_is_checked_and_not_the_older_one_that_is_installed(capsys, site, unpacked, unique):
    site.add(unique, SUNSET.replace("return warmth * ab", "return None"), "sunset")
    assert not any(verdicts(capsys, str(unpacked), code=0).values())


NOTHING_TO_CHECK = {
    "neither a name nor a path": (None, "Plugin not found: zang. It is neither installed nor a path.", "zhang"),
    "a folder with nothing": ({}, "Not a plugin", "a folder with a pyproject.toml"),
    "a distribution of something else": ({"pyproject.toml": "[project]"}, "declares no plugin", "entry-points"),
    "a broken pyproject.toml": ({"pyproject.toml": "[project"}, "Cannot read", ""),
}


@pytest.mark.parametrize(("files", "message", "hint"), NOTHING_TO_CHECK.values(), ids=NOTHING_TO_CHECK)
def test_where_there_is_nothing_to_check_the_error_says_so(capsys, tmp_path, files, message, hint):
    for name, text in (files or {}).items():
        (tmp_path / name).write_text(text)
    assert main(["plugins", "check", "zang" if files is None else str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert hint in captured.err
    assert captured.out == ""


def test_a_file_that_cannot_be_imported_is_refused(capsys, tmp_path):
    (tmp_path / "my-plugin.py").write_text(SUNSET)
    assert main(["plugins", "check", str(tmp_path / "my-plugin.py")]) == 2
    assert "'my-plugin' is not a valid module name" in capsys.readouterr().err


def test_without_assertions_nothing_is_called_kept():
    command = [sys.executable, "-O", "-m", "colorcli", "plugins", "check", "zhang"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Promises are checked with assertions, which are disabled.")


def test_checking_needs_no_pytest():
    program = "import sys, colorcli.testing.check; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


METRIC = """
from colorcli import Metric, hookimpl

class Redness(Metric):
    name = "redness"
    heading = "redness"
    def measure(self, predicted, true):
        return predicted.rgb[0].mean()

@hookimpl
def register_metrics(register):
    register(Redness())
"""


@pytest.mark.parametrize("what", ["redness", "colors"])
def test_metrics_are_checked_by_their_name_and_by_the_plugins(capsys, site, unique, what):
    site.add(unique, METRIC, "colors")
    found = verdicts(capsys, what, code=0)
    assert "every picture has a finite measurement of one shape" in found
    assert len(found) == 6


def test_a_broken_promise_of_a_metric_is_named(capsys, site, unique):
    site.add(unique, METRIC.replace(".mean()", ".mean() / 0"), "colors")
    found = verdicts(capsys, "redness", code=1)
    assert found["every picture has a finite measurement of one shape"] == (
        "measure returned infinities or NaN for a photograph"
    )


def test_what_a_plugin_prints_is_not_among_the_verdicts(capsys, site, unique):
    site.add(unique, SUNSET.replace("return warmth", "print('hello'); return warmth") + "\nprint('hello')\n", "sunset")
    found = verdicts(capsys, "sunset", code=1)  # which is JSON
    assert "prints 'hello" in found["nothing is printed to standard output"]


def test_squares_may_be_smaller_than_its_own(capsys, site, unique):
    big = SUNSET.replace("size = 128", "size = 1 << 20")  # would take terabytes
    site.add(unique, big, "sunset")
    assert main(["plugins", "check", "sunset", "--side", "16"]) == 0
    assert " 0 broken" in capsys.readouterr().err
