"""Whatever is wrong with a plugin, it is told by its name, and the built-in colorizers go on."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from colorcli.cli import main
from tests.site_packages import SitePackages
from tests.tiny import write_tiny_weights

SUNSET = (Path(__file__).parents[1] / "third_party" / "colorcli-sunset" / "colorcli_sunset.py").read_text()
BUILT_IN = {"iizuka", "koalarization", "pix2pix", "zhang"}


def answering(answer):
    """The sunset, with another answer."""
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
    """Install a plugin `sunset` that is broken in some way; give its distribution."""
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)

    def install(how):
        distribution = f"broken-{uuid4().hex[:8]}"
        site.add(distribution, BREAKS[how], "sunset")
        return distribution

    return install


@pytest.mark.parametrize("how", BREAKS)
def test_the_built_in_colorizers_go_on(how, broken, photo, tmp_path, capsys):
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
    assert main(["plugins"]) == 0
    assert LISTED[how].format(distribution=distribution) in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "note: 1 of the plugins is broken; `colorcli plugins` says why." in capsys.readouterr().err


RUN = {
    "import error": "The plugin sunset ({distribution} 1.0) is broken: ModuleNotFoundError",
    "newer API": "The plugin sunset ({distribution} 1.0) is broken: it needs version 2 of the plugin API",
    "wrong shape": "sunset returned chroma of shape (1, 3, 128, 128); expected a tensor of shape (1, 2, h, w)",
    "not a number": "sunset returned chroma that is not finite",
    "name clash": "The plugin sunset ({distribution} 1.0) provides no colorizer sunset, but zhang.",
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
    "import error": ("the plugin loads and registers its colorizers", "No module named 'nothing_of_that_name'"),
    "wrong shape": ("chroma has two finite channels for every picture", "predict gave (1, 3, 128, 128)"),
    "not a number": ("chroma has two finite channels for every picture", "predict gave infinities or NaN"),
    "name clash": ("the plugin loads and registers its colorizers", "both register it"),
    "batch-dependent": ("a picture gets the same chroma alone as in a batch", "with the others in the batch"),
    "heavy import": ("its module imports nothing slow", "torch at its top; do it inside build and predict"),
    "newer API": ("the plugin loads and registers its colorizers", "it needs version 2 of the plugin API"),
}


@pytest.mark.parametrize("how", BREAKS)
def test_checking_it_names_the_promise_that_is_broken(how, broken, capsys):
    broken(how)
    assert main(["plugins", "check", "sunset", "--json"]) == 1
    why = {each["promise"]: each["why"] for each in json.loads(capsys.readouterr().out)}
    promise, reason = CHECKED[how]
    assert reason in why[promise]
