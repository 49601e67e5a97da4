"""Films through the HTTP API: shots, frames, references, and the film in color."""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.film.shot_list import read_shots
from colorcli.media.films.probe import probe
from colorcli.serve import film_queue
from tests.media.films.clips import make_clip
from tests.serve.running import running
from tests.serve.test_api import OPENAPI

RED = "30%,50%=#c03020@20%"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A film of three shots of 12 frames."""
    return make_clip(tmp_path_factory.mktemp("clip") / "film.mp4", 36, scenes=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def films(tmp_path, clip):
    folder = tmp_path / "films"
    (folder / "holidays").mkdir(parents=True)
    shutil.copy(clip, folder / "film.mp4")
    return folder


@pytest.fixture
def client(weights, films):
    with running(weights, films) as client:
        yield client


def opened(client, name="film.mp4"):
    """Open a film and wait for its shots: its path, and what the page receives."""
    key = next(film["key"] for film in client.get("/api/films").json["films"] if film["name"] == name)
    path = f"/api/films/{key}"
    assert client.post(path, {}).status == 200
    return path, wait(client, path, lambda told: told["complete"])


def wait(client, path, until):
    for _ in range(600):
        told = client.get(path).json
        if until(told):
            return told
        time.sleep(0.1)
    raise AssertionError(told)


def ended(told):
    return told["run"] and told["run"]["state"] not in {"waiting", "running"}


def test_the_films_of_the_folder_are_listed_without_those_in_color(client, films):
    (films / "holidays" / "sea.mkv").write_bytes((films / "film.mp4").read_bytes())
    (films / "film-color.mp4").write_bytes(b"")
    (films / "notes.txt").write_text("no film")
    found = client.get("/api/films").json
    assert found["folder"] == str(films)
    assert [(film["name"], film["colored"]) for film in found["films"]] == [
        ("film.mp4", True),
        ("holidays/sea.mkv", False),
    ]


def test_a_film_whose_output_is_that_of_another_is_not_offered_and_the_reason_is_given(client, films):
    shutil.copy(films / "film.mp4", films / "tape.avi")
    shutil.copy(films / "film.mp4", films / "tape.mpg")
    found = client.get("/api/films").json
    assert [film["name"] for film in found["films"]] == ["film.mp4", "tape.avi"]
    (reason,) = found["left_out"]
    assert "tape.mpg" in reason
    assert "tape.avi" in reason


def test_without_a_folder_no_film_can_be_opened(weights):
    with running(weights) as client:
        assert client.get("/api/films").json == {"folder": None, "films": [], "left_out": []}
        assert client.post("/api/films/0123456789abcdef", {}).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/films/film.mp4",
        "/api/films/..%2F..%2Fetc%2Fpasswd",
        "{film}/references/..%2F..%2Ffilm.mp4",
        "{film}/references/shots.csv",
        "{film}/references/00-00-00.080.png",
    ],
)
def test_nothing_is_opened_or_removed_by_a_path(client, films, path):
    film, _ = opened(client)
    for method in ("POST", "GET", "DELETE"):
        assert client.ask(method, path.format(film=film)).status in {404, 405}
    assert [each.name for each in films.iterdir() if each.is_file()] == ["film.mp4"]


def test_every_shot_has_a_frame_that_is_colored_like_a_photograph(client):
    path, told = opened(client)
    assert [(shot["start"], shot["end"]) for shot in told["shots"]] == [(0, 0.48), (0.48, 0.96), (0.96, 1.44)]
    assert client.get(f"{path}?after=2").json["shots"] == told["shots"][2:]
    frame = client.post(f"{path}/frames", {"time": told["shots"][1]["time"]})
    assert (frame.status, frame.json["width"], frame.json["format"]) == (201, 64, "PNG")
    preview = client.post(f"/api/pictures/{frame.json['key']}/preview", {"hints": [RED], "strength": 0.5})
    assert (preview.status, preview.headers["content-type"]) == (200, "image/jpeg")
    again = client.post(f"{path}/frames", {"time": told["shots"][1]["time"]})
    assert again.json["key"] == frame.json["key"]
    assert client.post(f"{path}/frames", {"time": 99}).status == 400


def test_a_film_with_references_is_what_the_copied_command_writes(client, films, weights, monkeypatch):
    path, told = opened(client)
    shot = told["shots"][1]
    kept = client.post(f"{path}/references", {"time": shot["time"], "hints": [RED], "model": ""})
    assert kept.status == 201, kept.content
    assert (kept.json["time"], kept.json["settings"]["hints"]) == (shot["time"], [RED])
    still = films / "film.mp4-references" / kept.json["name"]
    with Image.open(still) as picture:
        red, green, blue = picture.convert("RGB").getpixel((19, 24))
        assert red > green + 20 < blue + 60
    settings = {"strength": 0.5, "options": {"temperature": 0.5}}
    words = shlex.split(client.post(f"{path}/command", settings).json["command"])
    assert client.post(f"{path}/run", settings).status == 202
    run = wait(client, path, ended)["run"]
    assert (run["state"], run["frames"], run["total"]) == ("done", 36, 36), run
    assert described_as("FilmRun", run)
    assert described_as("FilmProgress", told)
    assert Path(run["output"]) == films / "film-color.mp4"
    downloaded = client.get(f"{path}/file")
    assert downloaded.content == (films / "film-color.mp4").read_bytes()

    (films / "film-color.mp4").unlink()
    monkeypatch.chdir(films)
    words.remove("--model=zhang.tiny")
    own = [f"--weights={weights / 'tiny.safetensors'}", "--device=cpu", "--precision=fp32"]
    assert main([*words[1:], *own]) == 0
    assert downloaded.content == (films / "film-color.mp4").read_bytes()


def test_films_that_differ_only_in_their_suffix_keep_their_references_apart(client, films):
    shutil.copy(films / "film.mp4", films / "film.mov")
    path, told = opened(client)
    client.post(f"{path}/references", {"time": told["shots"][0]["time"]})
    other, _ = opened(client, "film.mov")
    assert client.post(other, {}).json["references"] == []
    client.post(f"{other}/references", {"time": told["shots"][1]["time"]})
    assert len(list(films.glob("film.m*-references/*.png"))) == 2


def test_changes_beside_an_open_film_are_reported(client, films):
    path, told = opened(client)
    kept = client.post(f"{path}/references", {"time": told["shots"][0]["time"]}).json
    told = client.get(f"{path}?after=3&version={told['version']}").json
    assert [each["name"] for each in told["references"]] == [kept["name"]]
    assert len(told["shots"]) == 3
    again = client.get(f"{path}?after=3&version={told['version']}").json
    assert (again["first"], again["shots"], again["references"]) == (3, [], None)

    table = films / "film.mp4-references" / "shots.csv"
    table.write_text("start,end,reference\n0,0.7,\n0.7,1.44,\n")
    edited = client.get(f"{path}?after=3&version={told['version']}").json
    assert (edited["first"], [each["end"] for each in edited["shots"]]) == (0, [0.7, 1.44])
    assert edited["shots"][0]["time"] == kept["time"]
    table.write_text("start,end\n0,late\n")
    wrong = client.get(path)
    assert (wrong.status, "shots.csv, line 2" in wrong.error) == (400, True)
    table.unlink()
    assert len(wait(client, path, lambda told: told["complete"])["shots"]) == 3


def test_where_the_list_of_shots_names_references_it_names_those_of_the_page_too(client, films):
    path, told = opened(client)
    first = client.post(f"{path}/references", {"time": told["shots"][0]["time"]}).json["name"]
    table = films / "film.mp4-references" / "shots.csv"
    table.write_text(f"start,end,reference\n0,0.48,{first}\n0.48,1.44,\n")
    second = client.post(f"{path}/references", {"time": told["shots"][1]["time"]}).json["name"]
    assert [each.references for each in read_shots(table)] == [(first,), (second,)]
    assert client.ask("DELETE", f"{path}/references/{first}").status == 204
    assert [each.references for each in read_shots(table)] == [(), (second,)]
    table.with_name(second).unlink()
    assert "not found" in client.post(f"{path}/run", {}).error


@pytest.fixture
def scans(tmp_path):
    """A folder with twelve numbered pictures, two shots of six."""
    (tmp_path / "films" / "scans").mkdir(parents=True)
    for number in range(12):
        shade = Image.linear_gradient("L").resize((40, 32)).rotate(90 * (number // 6), expand=False)
        shade.save(tmp_path / "films" / "scans" / f"{number:04}.png")
    return tmp_path / "films" / "scans"


def test_a_folder_of_numbered_pictures_is_a_film(weights, scans, monkeypatch):
    with running(weights, scans.parent) as client:
        assert client.get("/api/films").json["films"] == []  # they might be photographs
    with running(weights, scans.parent, Fraction(12)) as client:
        path, told = opened(client, "scans")
        (film,) = client.get("/api/films").json["films"]
        assert (film["bytes"], film["pictures"], film["colored"]) == (None, 12, False)
        described = client.post(path, {}).json
        assert (described["name"], described["rate"], described["numbered"]) == ("scans", 12, True)
        assert told["shots"][-1]["end"] == 1
        kept = client.post(f"{path}/references", {"time": told["shots"][0]["time"], "hints": [RED]}).json
        assert (scans.with_name("scans-references") / kept["name"]).exists()
        words = shlex.split(client.post(f"{path}/command", {}).json["command"])
        client.post(f"{path}/run", {})
        told = wait(client, path, ended)
        assert (told["run"]["state"], told["colored"]) == ("done", "scans-color"), told
        assert client.get(f"{path}/file").status == 404
        (film,) = client.get("/api/films").json["films"]  # neither the output nor the references
        assert (film["name"], film["colored"]) == ("scans", True)
    output = scans.with_name("scans-color")
    written = [each.read_bytes() for each in sorted(output.glob("*.png"))]
    assert len(written) == 12
    shutil.rmtree(output)
    monkeypatch.chdir(scans.parent)
    words.remove("--model=zhang.tiny")
    assert "--fps=12" in words
    own = [f"--weights={weights / 'tiny.safetensors'}", "--device=cpu", "--precision=fp32"]
    assert main([*words[1:], *own]) == 0
    assert [each.read_bytes() for each in sorted(output.glob("*.png"))] == written


def described_as(name, told):
    """Whether an answer has what the description of the API says."""
    return set(told) == set(OPENAPI["components"]["schemas"][name]["properties"])


def test_references_are_remembered_with_their_settings_and_the_list_of_shots(weights, films):
    with running(weights, films) as client:
        path, told = opened(client)
        client.post(f"{path}/references", {"time": told["shots"][2]["time"], "strength": 0.25})
    with running(weights, films) as client:
        (film,) = client.get("/api/films").json["films"]
        described = client.post(f"/api/films/{film['key']}", {}).json
        assert described_as("Film", described)
        assert described_as("Reference", described["references"][0])
        assert [each["settings"]["strength"] for each in described["references"]] == [0.25]
        again = client.get(f"/api/films/{film['key']}").json
        assert again["complete"]  # without a search
        assert again["shots"][2] == told["shots"][2]
        name = described["references"][0]["name"]
        assert client.ask("DELETE", f"{path}/references/{name}").status == 204
    assert [each.name for each in (films / "film.mp4-references").iterdir()] == ["shots.csv"]


def test_a_still_made_by_another_program_is_neither_replaced_nor_removed(client, films):
    path, told = opened(client)
    kept = client.post(f"{path}/references", {"time": told["shots"][0]["time"]}).json
    still = films / "film.mp4-references" / kept["name"]
    still.with_suffix(".json").unlink()
    painted = still.read_bytes()
    refused = client.post(f"{path}/references", {"time": told["shots"][0]["time"], "strength": 0.5})
    assert (refused.status, "was not written by this page" in refused.error) == (409, True)
    assert client.ask("DELETE", f"{path}/references/{kept['name']}").status == 409
    assert still.read_bytes() == painted


def test_films_are_stopped_and_resumed_and_an_existing_one_is_kept(client, films, monkeypatch):
    gate = threading.Event()
    colorize_film = film_queue.colorize_film

    def held_up(*words, on_frame, **options):
        def advance(frames, shot):
            gate.wait(60)
            on_frame(frames, shot)

        return colorize_film(*words, on_frame=advance, **options)

    monkeypatch.setattr(film_queue, "colorize_film", held_up)
    shutil.copy(films / "film.mp4", films / "other.mp4")
    first, _ = opened(client)
    second, _ = opened(client, "other.mp4")
    assert client.post(f"{first}/run", {}).json["state"] in {"waiting", "running"}
    assert client.post(f"{second}/run", {}).json["state"] == "waiting"
    assert client.ask("DELETE", f"{second}/run").json["state"] == "stopped"
    client.ask("DELETE", f"{first}/run")
    gate.set()
    assert wait(client, first, ended)["run"]["state"] == "stopped"
    assert not list(films.glob("*-color.mp4"))

    client.post(f"{first}/run", {})
    assert wait(client, first, ended)["run"]["state"] == "done"
    assert probe(films / "film-color.mp4").frames == 36
    client.post(f"{first}/run", {"strength": 0.5})
    told = wait(client, first, ended)
    assert "was made by zhang.tiny with other settings" in told["run"]["problem"]["message"]
    assert told["colored"] == "film-color.mp4"
    client.post(f"{first}/run", {"strength": 0.5, "overwrite": True})
    assert wait(client, first, ended)["run"]["state"] == "done"
