"""The HTTP API returns what `colorcli run` writes."""

from __future__ import annotations

import io
import json
import shlex
from urllib.parse import unquote

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.cli import main
from tests.documentation import ROOT
from tests.serve.pictures import encoded, gray, in_color, tiff16
from tests.serve.running import running

OPENAPI = json.loads((ROOT / "colorcli" / "serve" / "openapi.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def client(folder):
    with running(folder) as client:
        yield client


@pytest.fixture
def run(tmp_path, folder, monkeypatch):
    """Color a file with `colorcli run` in a separate folder, and return the bytes of the only output."""
    monkeypatch.chdir(tmp_path)

    def colored(content, name, *options, model=None):
        (tmp_path / name).write_bytes(content)
        chosen = f"--model={model}" if model else f"--weights={folder / 'tiny.safetensors'}"
        assert main(["run", chosen, "--device=cpu", "--precision=fp32", "-oout", *options, name]) == 0
        (output,) = [path for path in (tmp_path / "out").iterdir() if path.suffix != ".xmp"]
        return output.read_bytes()

    return colored


def jpeg():
    exif = Image.Exif()
    exif[0x010E] = "a description"
    exif[0x0112] = 6  # turned by 90 degrees
    return encoded(gray(), "JPEG", exif=exif, comment=b"a comment")


SAME = {
    "a JPEG with metadata": (jpeg(), "a.jpg", {}, []),
    "strength and temperature": (
        encoded(gray()),
        "a.png",
        {"strength": 0.5, "options": {"temperature": 0.1}},
        ["--strength=0.5", "-ptemperature=0.1"],
    ),
    "16 bits": (tiff16(), "a.tif", {}, []),
    "pages": (tiff16(pages=3), "a.tif", {}, []),
    "another format": (tiff16(), "a.tif", {"format": "png"}, ["--format=png"]),
    "a sample": (encoded(gray()), "a.png", {"seed": 7}, ["--samples=1", "--seed=7"]),
    "transparency": (encoded(Image.merge("LA", [gray(), gray()])), "a.png", {}, []),
    "hints": (
        encoded(gray()),
        "a.png",
        {"strength": 0.5, "hints": ["30%,45%=#b03020", "100,20=navy@5%"]},
        ["--strength=0.5", "--hint=30%,45%=#b03020", "--hint=100,20=navy@5%"],
    ),
    "hints on every page": (tiff16(pages=2), "a.tif", {"hints": ["10%,10%=red"]}, ["--hint=10%,10%=red"]),
    "hints of a sample": (
        encoded(gray()),
        "a.png",
        {"seed": 1, "hints": ["10%,10%=red"]},
        ["--samples=1", "--seed=1", "--hint=10%,10%=red"],
    ),
    "a picture in color": (in_color(), "a.png", {}, []),
    "a picture in color, recolored": (in_color(), "a.png", {"recolor": True}, ["--recolor"]),
    "a PNG that is called JPEG": (encoded(gray()), "a.jpg", {}, []),
    "a format without metadata": (encoded(gray(), "BMP"), "a.bmp", {}, []),
}


@pytest.mark.parametrize(("content", "name", "settings", "options"), SAME.values(), ids=SAME)
def test_a_colored_file_has_the_bytes_that_the_command_line_writes(client, run, content, name, settings, options):
    answer = client.colorize(content, settings, name)
    assert answer.status == 200, answer.content
    assert answer.content == run(content, name, *options)


@pytest.mark.parametrize(("content", "name", "settings", "options"), SAME.values(), ids=SAME)
def test_a_picture_that_is_kept_gives_the_same_file_after_previews(client, content, name, settings, options):
    path = client.opened(content, name)
    for strength in (0.2, 0.9):
        assert client.post(f"{path}/preview", {**settings, "strength": strength}).status == 200
    assert client.post(f"{path}/file", settings).content == client.colorize(content, settings, name).content


def test_models_are_listed_with_their_options_the_default_one_first(client):
    first, *others = client.get("/api/models").json["models"]
    assert first["name"] == "zhang.tiny"
    assert first["default"]
    assert first["samples"]
    temperature = next(option for option in first["options"] if option["name"] == "temperature")
    assert temperature["kind"] == "number"
    assert (temperature["minimum"], temperature["maximum"], temperature["default"]) == (0, 2, 0.38)
    assert {"zhang.starter", "iizuka.starter", "pix2pix.shariatnia"} <= {model["name"] for model in others}
    assert not any(model["default"] for model in others)


def test_a_picture_is_described(client):
    described = client.add(tiff16(pages=2), "scan.tif").json
    del described["key"]
    assert described == {
        "name": "scan.tif",
        "width": 90,
        "height": 60,
        "format": "TIFF",
        "bits": 16,
        "pages": 2,
        "tone": "gray",
        "remarks": [],
    }


def test_another_model_is_loaded_on_demand(client):
    path = client.opened(encoded(gray()))
    one, other = (client.post(f"{path}/preview", {"model": model}) for model in ("", "iizuka.starter"))
    assert (one.status, other.status) == (200, 200)
    assert one.content != other.content


def test_a_preview_has_at_most_the_pixels_that_were_asked_for(client):
    path = client.opened(encoded(gray(600, 300)))
    for most, expected in ((2_000_000, (600, 300)), (20_000, (200, 100))):
        for answer in (client.post(f"{path}/preview?pixels={most}", {}), client.get(f"{path}/original?pixels={most}")):
            assert Image.open(io.BytesIO(answer.content)).size == expected


def test_a_preview_keeps_transparency_and_shows_16_bits(client):
    transparent = client.post(f"{client.opened(encoded(Image.merge('LA', [gray(), gray()])))}/preview", {})
    assert Image.open(io.BytesIO(transparent.content)).mode == "RGBA"
    deep = client.get(f"{client.opened(tiff16(), 'a.tif')}/original")
    shown = np.asarray(Image.open(io.BytesIO(deep.content)).convert("L"), int)
    assert np.abs(shown - tifffile.imread(io.BytesIO(tiff16())) / 257).max() < 4


def test_a_strength_of_zero_leaves_the_picture_gray(client):
    path = client.opened(encoded(gray()))
    preview = client.post(f"{path}/preview", {"strength": 0}).content
    pixels = np.asarray(Image.open(io.BytesIO(preview)).convert("RGB"), int)
    assert np.ptp(pixels, axis=2).max() <= 2


def test_a_palette_is_of_the_model_where_it_predicts_a_distribution(client):
    path = client.opened(encoded(gray()))
    of_model = client.post(f"{path}/palette", {"x": 0.3, "y": 0.5}).json
    assert of_model["source"] == "model"
    shares = [each["share"] for each in of_model["colors"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1.001
    of_picture = client.post(f"{path}/palette", {"x": 0.3, "y": 0.5, "model": "iizuka.starter"}).json
    assert of_picture["source"] == "picture"
    assert of_picture["colors"]
    assert {each["share"] for each in of_picture["colors"]} == {None}


def test_a_download_is_named_as_the_command_line_names_outputs(client):
    path = client.opened(encoded(gray()), "Großmutter 1920.png")
    for settings, name in (({}, "Großmutter 1920-color.png"), ({"format": "jpeg"}, "Großmutter 1920-color.jpg")):
        disposition = client.post(f"{path}/file", settings).headers["content-disposition"]
        assert unquote(disposition) == f"attachment; filename*=UTF-8''{name}"


def test_what_a_file_cannot_keep_is_reported(client):
    path = client.opened(tiff16(), "a.tif")
    remarks = json.loads(unquote(client.post(f"{path}/file", {"format": "jpeg"}).headers["colorcli-remarks"]))
    assert remarks == ["the output does not keep more than 8 bits per channel"]
    assert "colorcli-remarks" not in client.post(f"{path}/file", {}).headers


def test_a_colorizer_that_is_shown_hints_gives_the_same_file_too(client, run):
    content, hints = encoded(gray()), ["30%,45%=#b03020", "80%,20%=navy"]
    path = client.opened(content)
    settings = {"model": "siggraph17.random", "strength": 0.7}
    client.post(f"{path}/preview", settings)
    client.post(f"{path}/preview", {**settings, "hints": hints[:1]})
    expected = run(content, "a.png", "--strength=0.7", *(f"--hint={hint}" for hint in hints), model=settings["model"])
    assert client.post(f"{path}/file", {**settings, "hints": hints}).content == expected


COMMANDS = {
    "nothing but the model": {},
    "all that there is": {"strength": 0.25, "options": {"temperature": 0.1}, "seed": 3, "format": "tiff"},
    "hints": {"hints": ["30%,45%=#b03020@2%", "50%,50%=rgb(1, 2, 3)"]},
}


@pytest.mark.parametrize("settings", COMMANDS.values(), ids=COMMANDS)
def test_the_command_that_is_copied_writes_the_same_file(client, run, settings):
    content, name = encoded(gray()), "it's a.png"
    path = client.opened(content, name)
    program, command, model, *options, last = shlex.split(client.post(f"{path}/command", settings).json["command"])
    assert (program, command, model, last) == ("colorcli", "run", "--model=zhang.tiny", name)
    assert client.post(f"{path}/file", settings).content == run(content, name, *options)


def test_a_picture_can_be_removed(client):
    path = client.opened(encoded(gray()))
    assert client.ask("DELETE", path).status == 204
    gone = client.post(f"{path}/preview", {})
    assert gone.status == 404
    assert gone.error == "This picture is no longer in memory."


def test_the_description_of_the_api_has_every_route(client):
    assert client.get("/api/openapi.json").json == OPENAPI
    for path, methods in OPENAPI["paths"].items():
        for method in ("get", "post", "delete", "put", "patch"):
            status = client.ask(method.upper(), path.replace("{key}", "none").replace("{name}", "none")).status
            assert (status != 405) == (method in methods), f"{method} {path}: {status}"


def test_the_description_of_the_api_has_every_setting(client):
    from colorcli.serve.settings import ColoringSettings

    assert set(OPENAPI["components"]["schemas"]["Settings"]["properties"]) == set(ColoringSettings.__struct_fields__)
    assert set(client.get("/api/models").json["models"][0]) == set(
        OPENAPI["components"]["schemas"]["Model"]["properties"]
    )
