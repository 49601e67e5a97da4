"""The page in Debian's Chromium."""

from __future__ import annotations

import base64
import re
import shlex

import pytest
from PIL import Image

from colorcli.cli import main
from tests.browser import needs_chromium, opened
from tests.serve.pictures import encoded, gray, in_color
from tests.serve.running import running

pytestmark = needs_chromium

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
MARKUP = "<img src=x onerror=alert(1)>.png"
DROP = """([files, type]) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    const name = type === "paste" ? "clipboardData" : "dataTransfer";
    const make = type === "paste" ? ClipboardEvent : DragEvent;
    document.body.dispatchEvent(new make(type, { [name]: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def client(folder):
    with running(folder) as client:
        yield client


@pytest.fixture
def page(browser, client):
    with opened(browser, client.url, **DESK) as (page, heard):
        page.set_default_timeout(60_000)
        yield page
        assert heard.console == []
        ours = client.url.partition("/?")[0]
        assert [url for url in heard.requests if not url.startswith((ours, f"blob:{ours}", "data:"))] == []


def give(page, files, how="drop"):
    """Drop or paste files, name to content, on the page."""
    page.evaluate(DROP, [[(name, base64.b64encode(content).decode()) for name, content in files.items()], how])


def colored(page, name="a.png"):
    """Wait until a photograph is on the stage."""
    page.locator(f'#right img[alt^="{name}"]').wait_for()
    page.locator(f'#left img[alt^="{name}"]').wait_for()


def settled(page):
    """Wait until a change is on the stage."""
    page.wait_for_timeout(150)
    page.locator("#status", has_text=re.compile(r"\d s$")).wait_for()
    page.locator('#window[aria-busy="false"]').wait_for()
    page.wait_for_timeout(150)


def click(page, x, y, **options):
    box = page.locator("#window").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"], **options)


def add_hint(page, x, y, swatch):
    before = page.locator(".hints li").count()
    click(page, x, y)
    page.locator(".swatch").nth(swatch).click()
    page.keyboard.press("Escape")
    page.locator(".hints li").nth(before).wait_for()


def command(page, button="#copy"):
    """The command line that the page copies."""
    page.click(button)
    words = page.locator(".alert p", has_text="colorcli run").last.inner_text()
    page.locator(".alert button").last.click()
    return words[words.index("colorcli run") :]


def settings(page):
    """The words of the command line, except for the first three, which are always the same, and the name."""
    return shlex.split(command(page))[3:-1]


def marks(page):
    return [mark.get_attribute("aria-label") for mark in page.locator(".mark").all()]


def test_a_dropped_picture_with_two_hints_is_downloaded_as_the_command_line_writes_it(
    page, folder, tmp_path, monkeypatch
):
    content = encoded(gray(300, 200), "JPEG")
    give(page, {"a.jpg": content})
    colored(page, "a.jpg")
    add_hint(page, 0.37, 0.7, 2)
    add_hint(page, 0.8, 0.2, 4)
    page.locator("#handle").focus()
    page.keyboard.press("PageUp")
    assert page.locator("#handle").get_attribute("aria-valuenow") == "60"
    page.locator("#strength").fill("0.6")
    page.locator("#option-temperature").fill("0.2")
    settled(page)
    with page.expect_download() as downloading:
        page.click("#download")
    download = downloading.value
    assert download.suggested_filename == "a-color.jpg"
    downloaded = tmp_path / "downloaded.jpg"
    download.save_as(downloaded)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(content)
    program, *words = shlex.split(command(page))
    assert sum(word.startswith("--hint=") for word in words) == 2
    words.remove("--model=zhang.tiny")
    weights = f"--weights={folder / 'tiny.safetensors'}"
    assert (program, main([*words, weights, "--device=cpu", "--precision=fp32"])) == ("colorcli", 0)
    assert downloaded.read_bytes() == (tmp_path / "a-color.jpg").read_bytes()
    with Image.open(downloaded) as picture:
        assert picture.getpixel((110, 140)) != picture.convert("L").convert("RGB").getpixel((110, 140))


def test_every_control_has_a_name_and_every_picture_a_text(page):
    give(page, {"a.png": encoded(gray()), "b.png": encoded(gray())})
    colored(page)
    page.click("#show-samples")
    page.locator(".sample img").nth(5).wait_for()
    add_hint(page, 0.3, 0.3, 0)
    for role in ("button", "slider", "combobox", "checkbox"):
        for control in page.get_by_role(role, include_hidden=True).all():
            named = "each => each.ariaLabel || each.labels?.[0]?.innerText.trim() || each.innerText.trim()"
            assert control.evaluate(named), control.evaluate("each => each.outerHTML")
    assert page.evaluate("() => [...document.images].every((each) => each.hasAttribute('alt'))")
    assert all(page.locator(f"#{side} img").get_attribute("alt") for side in ("left", "right"))


def test_hints_are_added_moved_and_removed_by_the_keyboard_alone(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    page.keyboard.press("h")
    page.locator(".swatch").first.wait_for()
    page.locator(".swatch").first.focus()
    color = page.locator(".swatch").first.get_attribute("data-color")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert marks(page) == [f"Hint 1, {color}, 50 % from the left, 50 % from the top"]
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert settings(page) == [f"--hint=52.00%,45.00%={color}@1%"]
    page.locator(".mark").focus()
    page.keyboard.press("Enter")
    page.locator("#palette").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    assert marks(page) == []
    page.keyboard.press("Control+z")
    assert len(marks(page)) == 1


def test_hints_are_dragged_and_removed_by_the_mouse(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    add_hint(page, 0.2, 0.4, 1)
    box, mark = page.locator("#window").bounding_box(), page.locator(".mark").bounding_box()
    page.mouse.move(mark["x"] + 12, mark["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    (label,) = marks(page)
    assert label.endswith("70 % from the left, 80 % from the top")
    page.keyboard.press("Control+z")
    assert marks(page)[0].endswith("20 % from the left, 40 % from the top")
    click(page, 0.2, 0.4, button="right")
    assert marks(page) == []


def test_a_place_that_was_clicked_stays_as_it_is_until_a_color_is_chosen(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    click(page, 0.3, 0.3)
    page.locator(".swatch").first.wait_for()
    assert page.locator(".mark.new").count() == 1
    page.keyboard.press("Escape")
    assert marks(page) == []
    assert settings(page) == []


def test_undo_and_redo_go_through_every_setting(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    page.locator("#strength").fill("0.5")
    page.locator("#option-temperature").fill("1.5")
    page.select_option("#model", "iizuka.starter")
    settled(page)
    page.locator("#strength").fill("0.75")
    page.keyboard.press("Control+z")  # in the slider itself
    assert page.locator("#strength").input_value() == "0.5"
    assert command(page) == "colorcli run --model=iizuka.starter --strength=0.5 a.png"
    for _ in range(3):
        page.click("#undo")
    assert page.locator("#undo").is_disabled()
    assert command(page) == "colorcli run --model=zhang.tiny a.png"
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    assert settings(page) == ["-ptemperature=1.5", "--strength=0.5"]


def test_two_models_are_compared_under_the_slider(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    page.select_option("#compare", "iizuka.starter")
    page.locator('#left img[alt="a.png, colored by iizuka.starter"]').wait_for()
    assert [page.locator(f"#{side}-tag").inner_text() for side in ("left", "right")] == [
        "iizuka.starter",
        "zhang.tiny",
    ]


def test_a_held_key_shows_the_original(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    clip = "() => getComputedStyle(document.getElementById('left')).clipPath"
    assert "50%" in page.evaluate(clip)
    page.keyboard.down("b")
    assert page.evaluate(clip) == "none"
    page.keyboard.up("b")
    assert "50%" in page.evaluate(clip)


def test_a_preview_has_as_many_pixels_as_the_screen_and_more_when_it_is_zoomed(page):
    give(page, {"a.png": encoded(gray(2400, 1600))})
    colored(page)
    width = "() => document.querySelector('#right img').naturalWidth"
    first = page.evaluate(width)
    assert first < 1300  # a million pixels
    for _ in range(3):
        page.keyboard.press("+")
    page.wait_for_timeout(500)
    settled(page)
    assert page.evaluate(width) == 1732  # two million pixels


def test_another_coloring_is_chosen_from_thumbnails(page):
    give(page, {"a.png": encoded(gray())})
    colored(page)
    page.click("#show-samples")
    page.locator(".sample img").nth(5).wait_for()
    page.locator(".sample").nth(3).click()
    settled(page)
    assert settings(page) == ["--samples=1", "--seed=2"]


def test_a_picture_in_color_is_recolored_unless_told_otherwise(page):
    give(page, {"a.png": in_color()}, "paste")
    colored(page)
    assert settings(page) == ["--recolor"]
    page.locator("#recolor").uncheck()
    assert settings(page) == []


def test_many_photographs_wait_in_a_queue_and_are_downloaded_together(page):
    give(page, {f"{number}.png": encoded(gray(90 + number, 60)) for number in range(6)})
    page.locator(".photo img").nth(5).wait_for()
    page.locator("#strength").fill("0.3")
    page.locator("#strength").dispatch_event("change")
    page.click("#apply-all")
    names = []
    page.on("download", lambda download: names.append(download.suggested_filename))
    page.click("#download-all")
    page.locator(".alert", has_text="Saved 6 photographs.").wait_for()
    page.wait_for_timeout(500)
    assert sorted(names) == [f"{number}-color.png" for number in range(6)]
    page.locator(".photo").nth(4).click()
    colored(page, "4.png")
    assert settings(page) == ["--strength=0.3"]


def test_a_photograph_that_the_server_forgot_is_sent_again(browser, folder):
    with running(folder, memory=1) as client, opened(browser, client.url, **DESK) as (page, _):
        page.set_default_timeout(60_000)
        give(page, {"a.png": encoded(gray()), "b.png": encoded(gray(60, 90))})
        page.locator(".photo img").nth(1).wait_for()
        for number, name in ((1, "b.png"), (0, "a.png")):
            page.locator(".photo").nth(number).click()
            colored(page, name)
            page.locator("#strength").fill(f"0.{number + 4}")
            settled(page)
            assert settings(page) == [f"--strength=0.{number + 4}"]


def test_a_broken_file_with_markup_in_its_name_is_named_and_stops_nothing(browser, client):
    with opened(browser, client.url, **DESK) as (page, heard):
        give(page, {MARKUP: b"no picture", "a.png": encoded(gray())})
        page.locator(".photo img").wait_for()
        assert page.locator(".photo.failed").get_attribute("title") == MARKUP
        assert page.locator("#name").inner_text() == MARKUP
        assert "not a picture format that can be read" in page.locator("#problem").inner_text()
        assert not page.locator("#window").is_visible()
        assert "not a picture format that can be read" in page.locator(".alert").inner_text()
        assert page.locator("img[src=x]").count() == 0
        page.locator(".photo").nth(1).click()
        colored(page)
        assert [words for words in heard.console if "422" not in words] == []


def test_removing_every_photograph_leads_back_to_the_start(page):
    give(page, {"a.png": encoded(gray()), "b.png": encoded(gray())})
    page.locator(".photo img").nth(1).wait_for()
    for name in ("a.png", "b.png"):
        page.locator(f'.remove[aria-label="Remove {name}"]').dispatch_event("click")
    page.locator("#empty").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, client, scheme):
    with opened(browser, client.url, color_scheme=scheme, **PHONE) as (page, heard):
        give(page, {"a.png": encoded(gray()), "b.png": encoded(gray())})
        colored(page)
        page.tap("#window", position={"x": 60, "y": 60})
        page.locator(".swatch").first.tap()
        page.tap("#close-palette")
        assert len(marks(page)) == 1
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", ground)[0]) < 100) == (scheme == "dark")
        assert heard.console == []
