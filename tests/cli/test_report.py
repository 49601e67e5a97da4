import os
import re

import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.pages import is_page
from tests.evaluation.pictures import save_gray, save_photographs
from tests.media.films.clips import make_clip


@pytest.fixture
def run(weights, capsys, tmp_path, monkeypatch):
    """Run with a report, in an empty folder: exit code, standard error, and the page if there is one."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        told = ["run", "photos", "--device", "cpu", "--weights", weights, "--report", "report.html", *args]
        code = main(told)
        path = tmp_path / "report.html"
        return code, capsys.readouterr().err, path.read_text(encoding="utf-8") if path.exists() else ""

    return run


@pytest.fixture
def photos(tmp_path):
    save_photographs(tmp_path / "photos", 1)
    save_gray(tmp_path / "photos" / "gray.png")
    return tmp_path / "photos"


def versions(text):
    """The versions of every picture, by name."""
    items = text.split('<li data-name="')[1:]
    return {item.partition('"')[0]: re.findall(r'data-version="([^"]+)"', item) for item in items}


def test_a_report_shows_every_picture_before_and_after(run, photos):
    code, _, text = run("--recolor")
    assert code == 0
    gray, color = os.path.join("photos", "gray.png"), os.path.join("photos", "00.png")  # noqa: PTH118
    assert versions(text) == {color: ["gray", "zhang.tiny", "original"], gray: ["gray", "zhang.tiny"]}


def test_a_report_has_settings_counts_and_command(run, photos, weights):
    _, _, text = run("--strength", "0.5", "-p", "temperature=0.2")
    assert "<dt>Done</dt><dd>1 colorized, 1 copied</dd>" in text
    assert "temperature=0.2, smoothing=0.0, strength=0.5, cpu" in text
    assert f"colorcli run --weights {weights} -p temperature=0.2 --device cpu --strength 0.5 --report" in text


def test_failures_are_on_the_report(run, photos):
    (photos / "broken.jpg").write_bytes(b"no picture")
    code, _, text = run()
    assert code == 1
    assert "1 colorized, 1 copied, 1 failed" in text
    assert "Not shown: 1" in text
    assert re.search(r"<li>photos.broken\.jpg: ", text)


def test_a_resumed_run_also_reports_earlier_outputs(run, photos):
    run("--recolor")
    save_photographs(photos, 2)
    code, _, text = run("--recolor")
    assert code == 0
    assert "done before" in text
    assert len(versions(text)) == 3


def test_a_file_that_is_not_a_page_of_colorcli_is_left_alone(run, photos):
    (photos.parent / "report.html").write_text("<html>mine")
    code, told, text = run()
    assert (code, text) == (1, "<html>mine")
    assert "already exists" in told
    assert not (photos.parent / "photos-color").exists()  # told before any work was done
    assert run("--overwrite")[0] == 0
    assert is_page(photos.parent / "report.html")


def test_films_are_named_on_the_report(run, photos):
    make_clip(photos / "film.mp4")
    code, _, text = run()
    assert code == 0
    assert re.search(r"<dt>Films</dt><dd>photos.film\.mp4 as photos-color.film\.mp4</dd>", text)


def test_a_license_is_on_the_report(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((40, 30)).save("a.png")
    assert main(["run", "a.png", "--model", "zhang.starter", "--device", "cpu", "--report", "r.html"]) == 0
    assert "license Apache-2.0" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_standard_input_has_no_report(capsys, tmp_path):
    assert main(["run", "-", "--report", str(tmp_path / "r.html")]) == 2
    assert "--report" in capsys.readouterr().err
