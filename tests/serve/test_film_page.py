"""Films on the page, in Debian's Chromium."""

from __future__ import annotations

import shlex

import pytest

from colorcli.cli import main
from tests.browser import needs_chromium, opened
from tests.media.films.clips import make_clip
from tests.serve.running import running
from tests.serve.test_page import DESK, PHONE, add_hint, command, give, settled

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture
def films(tmp_path):
    make_clip(tmp_path / "film.mp4", 36, scenes=3)
    return tmp_path


@pytest.fixture
def client(weights, films):
    with running(weights, films) as client:
        yield client


@pytest.fixture
def page(browser, client):
    with opened(browser, client.url, **DESK) as (page, heard):
        page.set_default_timeout(60_000)
        yield page
        assert heard.console == []


def choose(page, name="film.mp4"):
    page.click("#choose-film")
    page.locator("#film-entries button", has_text=name).click()
    page.locator("#film-shots", has_text="3 shots,").wait_for()
    page.locator(".photo img").nth(2).wait_for()


def color(page):
    page.click("#color-film")
    page.locator("#film-status", has_text="Saved: ").wait_for()


def test_a_film_is_corrected_shot_by_shot_and_colored_as_the_copied_command_does(
    page, films, weights, tmp_path, monkeypatch
):
    choose(page)
    page.locator(".photo").nth(1).click()
    page.locator('#right img[alt^="film.mp4 0:00:00."]').wait_for()
    add_hint(page, 0.3, 0.4, 0)
    page.locator("#strength").fill("0.6")
    settled(page)
    page.click("#keep")
    page.locator("#keep:disabled", has_text="Kept").wait_for()
    assert page.locator(".badge").count() == 1
    page.locator("#film-shots", has_text="3 shots, 1 with a reference").wait_for()
    page.locator(".photo").nth(2).click()
    page.locator("#option-temperature").fill("0.2")
    page.click("#use-for-film")
    assert "zhang.tiny" in page.locator("#film-usual").inner_text()
    copied = shlex.split(command(page, "#copy-film"))
    color(page)
    with page.expect_download() as downloading:
        page.click("#download-film")
    downloading.value.save_as(tmp_path / "downloaded.mp4")
    (films / "film-color.mp4").unlink()

    monkeypatch.chdir(films)
    program, *words = copied
    assert "-ptemperature=0.2" in words
    words.remove("--model=zhang.tiny")
    own = [f"--weights={weights / 'tiny.safetensors'}", "--device=cpu", "--precision=fp32"]
    assert (program, main([*words, *own])) == ("colorcli", 0)
    assert (tmp_path / "downloaded.mp4").read_bytes() == (films / "film-color.mp4").read_bytes()


def test_what_was_changed_is_kept_with_the_film_and_can_be_corrected_after_a_reload(page, films):
    choose(page)
    page.locator("#moment").fill("0.2")
    page.locator('#right img[alt^="film.mp4 0:00:00.200"]').wait_for()
    add_hint(page, 0.3, 0.4, 0)
    color(page)
    assert (films / "film.mp4-references" / "00-00-00.200.png").exists()
    page.reload()
    choose(page)
    assert page.locator(".hints li").count() == 1
    assert page.locator("#keep").inner_text() == "Kept"
    page.click("#replace")
    page.keyboard.press("Control+z")  # nothing to undo
    page.locator("#strength").fill("0.3")
    settled(page)
    page.keyboard.press("k")
    page.locator("#keep:disabled", has_text="Kept").wait_for()
    page.click("#forget")
    page.locator("#film-shots", has_text="3 shots, 0 with a reference").wait_for()
    page.click("#color-film")
    page.locator("#film-status", has_text="Saved: ").wait_for()
    assert [path.name for path in (films / "film.mp4-references").iterdir()] == ["shots.csv"]


def test_a_list_of_shots_that_was_edited_shows_when_the_page_has_the_focus_again(page, films):
    choose(page)
    page.locator(".photo").nth(2).click()
    page.locator("#moment").fill("1.2")
    page.keyboard.press("k")
    page.locator("#keep:disabled", has_text="Kept").wait_for()
    (films / "film.mp4-references" / "shots.csv").write_text("start,end\n0,0.96\n0.96,1.44\n")
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    page.locator("#film-shots", has_text="2 shots, 1 with a reference").wait_for()
    page.locator(".photo img").nth(1).wait_for()
    assert page.locator(".photo").count() == 2
    assert page.locator(".photo").nth(1).get_attribute("aria-current") == "true"
    assert page.locator("#moment-value").inner_text() == "0:00:01.200"


def test_the_keyboard_alone_leads_to_a_film_and_back_to_photographs(page):
    page.locator("#films").focus()
    page.keyboard.press("Enter")
    page.locator("#film-entries button").wait_for()
    page.keyboard.press("Tab")
    page.locator("#film-entries button").focus()
    page.keyboard.press("Enter")
    page.locator(".photo img").nth(2).wait_for()
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".photo").nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("k")
    page.locator("#keep", has_text="Kept").wait_for()
    assert page.locator(".photo").nth(1).get_attribute("aria-label").endswith(", Kept")
    for role in ("button", "slider", "checkbox", "progressbar"):
        for control in page.get_by_role(role, include_hidden=True).all():
            named = "each => each.ariaLabel || each.labels?.[0]?.innerText.trim() || each.textContent.trim()"
            assert control.evaluate(named), control.evaluate("each => each.outerHTML")
    page.locator("#close-film").focus()
    page.keyboard.press("Enter")
    page.locator("#empty").wait_for()


def test_a_dropped_film_is_explained_and_photographs_come_back(page):
    choose(page)
    give(page, {"other.mkv": b"\x1a\x45\xdf\xa3"})
    page.locator(".alert", has_text="other.mkv is a film.").wait_for()
    assert page.locator("#filming").is_visible()


def test_a_phone_shows_a_film_without_scrolling_sideways(browser, client):
    with opened(browser, client.url, **PHONE) as (page, heard):
        page.set_default_timeout(60_000)
        choose(page)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        assert heard.console == []
