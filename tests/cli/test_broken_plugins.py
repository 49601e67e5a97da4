"""Whatever is wrong with a plugin, the plugin is named, and the built-in colorizers still work."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from tests.site_packages import SitePackages
from tests.tiny import write_tiny_weights

SUNSET = (Path(__file__).parents[1] / "third_party" / "colorcli-sunset" / "colorcli_sunset.py").read_text()
BUILT_IN = {"iizuka", "koalarization", "pix2pix", "siggraph17", "zhang"}


def answering(answer):
    """The sunset plugin, with another result."""
    assert "return warmth * ab" in SUNSET
    return SUNSET.replace("return warmth * ab", f"return {answer}")


BREAKS = {
    "import error": "import nothing_of_that_name\n",
    "wrong shape": answering("ab[:, [0, 1, 1]]"),
    "not a number": answering("ab * float('nan')"),
    "name clash": SUNSET.replace('name = "sunset"', 'name = "zhang"'),
    "batch-dependent": answering("ab + lightness.mean()"),
    "heavy import": SUNSET.replace(
        "from typing import TYPE_CHECKING", "from typing import TYPE_CHECKING\n\nimport torch"
    ),
    "newer API": SUNSET.replace("colorcli_api = 1", "colorcli_api = 2"),
}


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((60, 80)).save("photo.png")
    return "photo.png"


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Install a plugin `sunset` that is broken in some way; return its distribution."""
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)

    def install(how):
        distribution = f"broken-{uuid4().hex[:8]}"
        site.add(distribution, BREAKS[how], "sunset")
        return distribution

    return install


@pytest.mark.parametrize("how", BREAKS)
def test_the_built_in_colorizers_still_work(how, broken, photo, tmp_path, capsys):
    broken(how)
    assert main(["models", "--json"]) == 0
    assert {model["name"] for model in json.loads(capsys.readouterr().out)} >= BUILT_IN
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    assert main(["run", "--model", "zhang", "--weights", str(weights), photo]) == 0
    with Image.open("photo-color.png") as colored:
        assert colored.mode == "RGB"


LISTED = {
    "import error": "broken: sunset: ModuleNotFoundError: No module named 'nothing_of_that_name'",
    "name clash": "broken: sunset: the name zhang is taken: colorcli and {distribution} both register it",
    "newer API": "broken: sunset: it needs version 2 of the plugin API,",
}


@pytest.mark.parametrize("how", LISTED)
def test_what_does_not_load_is_listed_with_the_reason(how, broken, capsys):
    distribution = broken(how)
    assert main(["plugins"]) == 1
    assert LISTED[how].format(distribution=distribution) in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "note: 1 of the plugins is broken; see `colorcli plugins`." in capsys.readouterr().err


RUN = {
    "import error": "The plugin sunset ({distribution} 1.0) is broken: ModuleNotFoundError",
    "newer API": "The plugin sunset ({distribution} 1.0) is broken: it needs version 2 of the plugin API",
    "wrong shape": "sunset returned chroma of shape (1, 3, 128, 128); expected a tensor of shape (1, 2, h, w)",
    "not a number": "sunset returned chroma that is not finite",
    "name clash": "The plugin sunset ({distribution} 1.0) does not provide a colorizer sunset, only zhang.",
}


@pytest.mark.parametrize("how", RUN)
def test_running_it_says_what_is_wrong_and_writes_nothing(how, broken, photo, capsys):
    distribution = broken(how)
    assert main(["run", "--model", "sunset", photo]) in {1, 2}
    captured = capsys.readouterr()
    assert RUN[how].format(distribution=distribution) in captured.err
    assert "Traceback" not in captured.err
    assert not Path("photo-color.png").exists()


CHECKED = {
    "import error": (
        "the plugin loads and registers valid colorizers or metrics",
        "No module named 'nothing_of_that_name'",
    ),
    "wrong shape": (
        "chroma has two finite channels for every picture",
        "predict must return (1, 2, h, w), got (1, 3, 128, 128)",
    ),
    "not a number": ("chroma has two finite channels for every picture", "predict returned infinities or NaN"),
    "name clash": ("the plugin loads and registers valid colorizers or metrics", "both register it"),
    "batch-dependent": ("a picture gets the same chroma alone as in a batch", "with the others in the batch"),
    "heavy import": ("its module imports nothing slow", "torch at its top; do it inside build and predict"),
    "newer API": (
        "the plugin loads and registers valid colorizers or metrics",
        "it needs version 2 of the plugin API",
    ),
}


@pytest.mark.parametrize("how", BREAKS)
def test_checking_it_names_the_promise_that_is_broken(how, broken, capsys):
    broken(how)
    assert main(["plugins", "check", "sunset", "--json"]) == 1
    why = {each["promise"]: each["why"] for each in json.loads(capsys.readouterr().out)}
    promise, reason = CHECKED[how]
    assert reason in why[promise]


# Several models


@pytest.fixture
def color_photos(tmp_path):
    """Photographs in color; the third is brighter than the others."""
    folder = tmp_path / "color"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256 if number != 2 else 20, (6, 8, 3), np.uint8)
        noise = noise + np.uint8(235 if number == 2 else 0)
        Image.fromarray(np.kron(noise, np.ones((10, 10, 1), np.uint8))).save(folder / f"{number}.png")
    return folder


FAILING = {
    "import error": BREAKS["import error"],
    "in build": SUNSET.replace(
        "        import torch  # late", "        raise OSError('boom')\n        import torch  # late"
    ),
    "wrong shape": BREAKS["wrong shape"],
    "not a number": BREAKS["not a number"],
    "sys.exit": answering("__import__('sys').exit(3)"),
    "bright pictures only": answering("ab / (lightness.mean((1, 2, 3), keepdim=True) < 80)"),
}


@pytest.fixture
def failing(tmp_path, monkeypatch):
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    return lambda how: site.add(f"failing-{uuid4().hex[:8]}", FAILING[how], "sunset")


@pytest.mark.parametrize("how", FAILING)
@pytest.mark.parametrize("order", [("sunset", "koalarization"), ("koalarization", "sunset")], ids=" ".join)
def test_evaluate_continues_after_one_bad_model(failing, color_photos, capsys, how, order):
    failing(how)
    assert main(["evaluate", *order, str(color_photos), "--size", "64", "--device", "cpu"]) == 1
    captured = capsys.readouterr()
    rows = [line for line in captured.out.splitlines() if line.startswith("| ")]
    assert any("koalarization.starter" in row for row in rows)
    assert not any("| sunset" in row for row in rows)
    assert "sunset" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("how", FAILING)
def test_compare_continues_after_one_bad_model(failing, color_photos, capsys, tmp_path, how):
    failing(how)
    page = tmp_path / "page.html"
    assert main(["compare", "sunset", "koalarization", str(color_photos), "-o", str(page), "--device", "cpu"]) == 1
    captured = capsys.readouterr()
    assert "koalarization.starter" in page.read_text()
    assert "sunset" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_bad_models_alone_are_an_error(failing, color_photos, capsys, tmp_path, command):
    failing("not a number")
    output = tmp_path / "page.html"
    assert main([command, "sunset", str(color_photos), "-o", str(output), "--device", "cpu"]) == 1
    assert "sunset returned chroma that is not finite" in capsys.readouterr().err
    assert not output.exists()


def test_a_misspelled_model_among_others_is_a_usage_error(color_photos, capsys):
    assert main(["evaluate", "zang", "koalarization", str(color_photos)]) == 2
    assert "Did you mean zhang?" in capsys.readouterr().err


# What they print, and what they change


def test_what_a_plugin_prints_never_reaches_standard_output(failing, photo, tmp_path, monkeypatch, capsys):
    source = SUNSET.replace("return warmth", "print('predicting'); return warmth") + "\nprint('imported')\n"
    monkeypatch.setitem(FAILING, "prints", source)
    failing("prints")
    assert main(["run", "--model", "sunset", "--json", photo]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["output"] == "photo-color.png"
    assert "imported" in captured.err
    assert "predicting" in captured.err


CHATTY = {
    "print": "print('noise')",
    "a file descriptor": "__import__('os').write(1, b'noise')",
    "a child process": "__import__('subprocess').run(['echo', 'noise'])",
}


@pytest.mark.parametrize("said", CHATTY.values(), ids=CHATTY)
def test_in_a_process_of_its_own_nothing_but_results_reaches_standard_output(said, photo, tmp_path):
    site = SitePackages(tmp_path / "site")
    site.add("chatty", SUNSET.replace("        return warmth", f"        {said}\n        return warmth"), "sunset")
    environment = {**os.environ, "PYTHONPATH": str(site.folder)}
    program = [sys.executable, "-m", "colorcli", "run", "--model", "sunset", "--device", "cpu"]
    in_color = subprocess.run(
        [*program, "-"], input=Path(photo).read_bytes(), env=environment, capture_output=True, check=False
    )
    assert in_color.returncode == 0, in_color.stderr
    with Image.open(io.BytesIO(in_color.stdout)) as colored:
        colored.load()
    assert in_color.stdout.startswith(b"\x89PNG")
    assert b"noise" not in in_color.stdout
    listed = subprocess.run([*program, "--json", photo], env=environment, capture_output=True, check=False)
    assert json.loads(listed.stdout)["output"] == "photo-color.png"
    assert b"noise" in listed.stderr


METRIC = """
from colorcli import Metric, hookimpl

class Redness(Metric):
    name = "redness"
    heading = "redness"
    def measure(self, predicted, true):
        {body}

@hookimpl
def register_metrics(register):
    register(Redness())
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("print('noise'); return float('nan')", "a measurement must be a number"),
    ],
)
def test_a_metric_that_fails_leaves_its_column_empty(failing, color_photos, monkeypatch, capsys, body, reason):
    monkeypatch.setitem(FAILING, "metric", METRIC.format(body=body))
    failing("metric")
    command = ["evaluate", "koalarization", str(color_photos), "--size", "32", "--metrics", "redness"]
    assert main([*command, "--device", "cpu"]) == 1
    captured = capsys.readouterr()
    assert "koalarization.starter" in captured.out
    assert reason.lower() in captured.out.lower()
    assert "noise" not in captured.out


def test_an_error_names_plugin_and_picture_and_debug_shows_the_traceback(failing, photo, monkeypatch, capsys):
    monkeypatch.setitem(FAILING, "raises", answering("1 // 0"))
    failing("raises")
    assert main(["--debug", "run", "--model", "sunset", photo]) == 1
    text = capsys.readouterr().err
    assert "error: photo.png: The colorizer sunset of failing-" in text
    assert " failed in predict: ZeroDivisionError: " in text
    assert "Traceback" in text
    assert "1 // 0" in text


def test_edited_code_is_used_at_once_and_its_outputs_are_not_up_to_date(photo, tmp_path, capsys):
    """Each run is a separate process, as for someone who works on a plugin."""
    site = SitePackages(tmp_path / "site")
    site.add("edited", SUNSET, "sunset")
    module = site.folder / "edited.py"

    def run(*args):
        command = [sys.executable, "-m", "colorcli", "run", "--model", "sunset", "--device", "cpu", photo, *args]
        environment = {**os.environ, "PYTHONPATH": str(site.folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert "1 colorized" in run().stderr
    assert "1 colorized" not in run().stderr
    module.write_text(SUNSET.replace("10.0, 40.0", "40.0, 10.0"))
    assert "1 colorized" not in run().stderr
    again = run("--overwrite")
    assert "1 colorized" in again.stderr
    with Image.open("photo-color.png") as colored:
        red, green, _ = colored.convert("RGB").getpixel((30, 75))
    assert red > green


# Random weights


def test_random_weights_try_a_plugin_whose_weights_are_elsewhere(failing, photo, monkeypatch, capsys):
    far = """weights = {
        "far": __import__("colorcli").Weights(
            repo="nobody/nothing", file="far.safetensors", sha256="0" * 64, size=10**9, license="MIT",
            source="x", trained_on="y", input_size=64,
        )
    }
    size = 128"""
    monkeypatch.setitem(FAILING, "far", SUNSET.replace("size = 128", far))
    failing("far")
    assert main(["run", "--model", "sunset", "--weights", "random", "--offline", photo]) == 0
    assert "note: The weights are random" in capsys.readouterr().err
    assert main(["run", "--model", "sunset.random", "--offline", "--overwrite", photo]) == 0
    assert main(["run", "--model", "sunset", "--offline", "--overwrite", photo]) == 1
    assert Path("photo-color.png").exists()
