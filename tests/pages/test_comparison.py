"""The page of `colorcli compare` and `colorcli run --report`, in a browser."""

import base64
import io
import re

import pytest
from PIL import Image

from colorcli.pages.comparison import open_comparison
from colorcli.pages.sheet import PictureVersions
from tests.browser import needs_chromium, opened

pytestmark = needs_chromium

NASTY = '<img src=x onerror=alert(1)> & "quotes".jpg'
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
COLORS = {"gray": (128, 128, 128), "zhang.starter": (200, 60, 60), "iizuka.starter": (60, 60, 200)}
ORIGINAL = {"original": (60, 200, 60)}


def row(name, size, colors, note=""):
    """A picture whose versions are flat, so that a pixel identifies its version."""
    return PictureVersions(name, {label: Image.new("RGB", size, color) for label, color in colors.items()}, note)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three pictures, the second without an original, the third upright and with a name to be wary of."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    with open_comparison(path, "Three <b>pictures</b>", max_side=320) as page:
        page.add(row("first.jpg", (400, 300), COLORS | ORIGINAL, "category people, probability 0.93"))
        page.add(row("second.jpg", (400, 200), COLORS))
        page.add(row(NASTY, (150, 300), COLORS | ORIGINAL))
        page.facts = {"Pictures": "3 from <here>"}
        page.problems = ["broken.jpg: this is <no> picture."]
        page.command = "colorcli compare a b"
    return path


@pytest.fixture
def shown(browser, path):
    with opened(browser, path, **DESK) as (page, heard):
        ready(page)
        yield page
        assert heard.console == []
        assert heard.requests == [path.as_uri()] + [url for url in heard.requests if url.startswith("data:")]


def ready(page, name="first.jpg"):
    page.wait_for_function("name => document.querySelector(`.window img`)?.alt.startsWith(name)", arg=name)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def names(page):
    """What is on the stage, from left to right."""
    return page.locator(".stage .tag, .stage figcaption").all_inner_texts()


def color_at(page, x, y=0.8):
    """The color that a place of the window, 0..1, is shown in."""
    box = page.locator(".window").first.bounding_box()
    clip = {"x": box["x"] + x * (box["width"] - 1), "y": box["y"] + y * (box["height"] - 1), "width": 1, "height": 1}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))


def near(color, expected):
    return all(abs(one - other) <= 6 for one, other in zip(color, expected, strict=True))


def divider(page):
    return int(page.get_by_role("slider").get_attribute("aria-valuenow"))


def boxes(page):
    """Where each version is drawn within its window, as parts of the window."""
    return page.evaluate("""() => [...document.querySelectorAll(".window")].flatMap((pane) => {
        const out = pane.getBoundingClientRect();
        return [...pane.querySelectorAll("img")].map((image) => {
            const box = image.getBoundingClientRect();
            return [(box.x - out.x) / out.width, (box.y - out.y) / out.height, box.width / out.width]
                .map((each) => Math.round(each * 100) / 100);
        });
    })""")


# What is there


def test_every_picture_has_an_alternative_text(shown):
    texts = shown.evaluate("""() => {
        const held = [...document.querySelectorAll("template")].map((each) => each.content);
        return [document, ...held].flatMap((each) => [...each.querySelectorAll("img")]).map((each) => each.alt);
    }""")
    assert len(texts) == 2 + 3 + 4 + 3 + 4  # on the stage, in the list, and each version
    assert all(texts)
    expected = {"first.jpg in gray", "first.jpg colorized by zhang.starter", "first.jpg in its original colors"}
    assert expected <= set(texts)


def test_every_control_has_a_name(shown):
    press(shown, "?")
    for role in ("button", "slider", "combobox"):
        for control in shown.get_by_role(role, include_hidden=True).all():
            assert control.evaluate(
                "each => each.ariaLabel || each.innerText.trim() || each.title || each.querySelector('img')?.alt"
            )


def test_names_are_text_whatever_is_in_them(shown):
    press(shown, "End")
    ready(shown, "<img src=x")
    assert shown.locator("#name").inner_text() == NASTY
    assert shown.locator("h1").inner_text() == "Three <b>pictures</b>"
    assert "3 from <here>" in shown.locator(".about").inner_text()
    assert "broken.jpg: this is <no> picture." in shown.locator(".about").inner_text()


def test_notes_problems_and_the_command_are_on_the_page(shown):
    assert shown.locator("#place").inner_text() == "1 of 3 · category people, probability 0.93"
    assert shown.get_by_role("link", name="not shown: 1").get_attribute("href") == "#problems"
    assert shown.locator(".about pre").inner_text() == "colorcli compare a b"


def test_pictures_are_scaled_down_to_the_requested_longest_side(path):
    uris = re.findall(r'<figure data-version="[^"]+"><img src="data:image/webp;base64,([^"]+)"', path.read_text())
    sizes = {Image.open(io.BytesIO(base64.b64decode(uri))).size for uri in uris}
    assert sizes == {(320, 240), (320, 160), (150, 300)}


# The slider


def test_the_slider_shows_the_left_version_on_its_left(shown):
    assert names(shown) == ["gray", "zhang.starter"]
    assert near(color_at(shown, 0.3), COLORS["gray"])
    assert near(color_at(shown, 0.7), COLORS["zhang.starter"])


def test_the_slider_follows_the_mouse(shown):
    box = shown.locator(".window").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 20, steps=4)
    shown.mouse.up()
    assert divider(shown) == 20
    assert near(color_at(shown, 0.3), COLORS["zhang.starter"])
    shown.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20)
    assert divider(shown) == 20  # the mouse released it


def test_the_slider_moves_by_keys(shown):
    shown.get_by_role("slider").focus()
    press(shown, "ArrowRight", "ArrowRight", "PageUp")
    assert divider(shown) == 64
    press(shown, "Home")
    assert divider(shown) == 0
    assert shown.get_by_role("slider").get_attribute("aria-valuetext") == "0 % gray, then zhang.starter"
    assert shown.locator("#place").inner_text().startswith("1 of 3")  # and not from picture to picture


class Fingers:
    """Touches the window of a page, at places from 0 to 1 of it."""

    def __init__(self, page):
        self._box = page.locator(".window").bounding_box()
        self._touch = page.context.new_cdp_session(page)

    def __call__(self, kind, *places):
        box = self._box
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": number}
            for number, (x, y) in enumerate(places)
        ]
        self._touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    def drag(self, start, end, steps=5):
        self("Start", start)
        for step in range(1, steps + 1):
            self("Move", tuple(a + (b - a) * step / steps for a, b in zip(start, end, strict=True)))
        self("End")


def test_the_slider_follows_a_finger(browser, path):
    with opened(browser, path, **PHONE) as (page, _):
        ready(page)
        fingers = Fingers(page)
        fingers.drag((0.5, 0.3), (0.25, 0.35))
        assert divider(page) == 25
        fingers("Start", (0.75, 0.3))
        fingers("End")
        assert divider(page) == 75


def test_a_finger_that_scrolls_the_page_leaves_the_slider_alone(browser, path):
    with opened(browser, path, **PHONE) as (page, _):
        ready(page)
        Fingers(page).drag((0.2, 0.9), (0.2, 0.1))
        page.wait_for_function("scrollY > 20")
        assert divider(page) == 50


# Versions


def test_digits_choose_the_right_version_and_with_shift_the_left(shown):
    press(shown, "3")
    assert names(shown) == ["gray", "iizuka.starter"]
    press(shown, "Shift+Digit4")
    assert names(shown) == ["original", "iizuka.starter"]
    assert near(color_at(shown, 0.3), ORIGINAL["original"])


def test_choosing_the_other_sides_version_swaps_them(shown):
    press(shown, "1")
    assert names(shown) == ["zhang.starter", "gray"]
    press(shown, "x")
    assert names(shown) == ["gray", "zhang.starter"]


def test_buttons_and_the_list_choose_versions(shown):
    shown.get_by_role("button", name="iizuka.starter").click()
    shown.get_by_role("combobox", name="Version on the left").select_option("original")
    assert names(shown) == ["original", "iizuka.starter"]


def test_a_choice_stays_for_the_next_picture_that_has_it(shown):
    press(shown, "4", "ArrowRight")
    ready(shown, "second.jpg")
    assert names(shown) == ["gray", "zhang.starter"]  # it has no original
    press(shown, "ArrowRight")
    ready(shown, "<img")
    assert names(shown) == ["gray", "original"]


def test_the_left_version_is_shown_alone_while_b_is_held(shown):
    shown.keyboard.down("b")
    assert near(color_at(shown, 0.7), COLORS["gray"])
    shown.keyboard.up("b")
    assert near(color_at(shown, 0.7), COLORS["zhang.starter"])


def test_side_by_side_shows_all_versions(shown):
    shown.get_by_role("button", name="Side by side").click()
    assert names(shown) == ["1gray", "2zhang.starter", "3iizuka.starter", "4original"]
    bottom = max(box["y"] + box["height"] for box in (each.bounding_box() for each in shown.locator("figure").all()))
    assert bottom <= DESK["viewport"]["height"]


# Pictures


def test_arrows_go_from_picture_to_picture_and_stop_at_the_ends(shown):
    press(shown, "ArrowLeft")
    assert shown.locator("#place").inner_text().startswith("1 of 3")
    press(shown, "ArrowRight", "ArrowRight", "ArrowRight")
    assert shown.locator("#place").inner_text() == "3 of 3"
    ready(shown, "<img")
    assert shown.get_by_role("button", name="Next picture").is_disabled()
    assert shown.locator("#pictures [aria-current]").count() == 1


def test_a_click_in_the_list_shows_that_picture(shown):
    shown.locator("#pictures button").nth(1).click()
    ready(shown, "second.jpg")
    press(shown, "ArrowRight")
    ready(shown, "<img")


def test_only_the_picture_that_is_shown_is_decoded(shown):
    assert shown.evaluate("document.images.length") == 3 + 2  # those of the list, and two on the stage
    assert shown.evaluate("[...document.querySelectorAll('#pictures img')].every(each => each.loading === 'lazy')")


# Zoom


@pytest.mark.parametrize("view", ["Slider", "Side by side"])
def test_all_versions_zoom_and_move_in_step(shown, view):
    shown.get_by_role("button", name=view).click()
    press(shown, "+", "+")
    centered = boxes(shown)
    assert len(set(map(tuple, centered))) == 1
    assert centered[0] == pytest.approx([-0.625, -0.625, 2.25], abs=0.01)
    pane = shown.locator(".window").last.bounding_box()
    shown.mouse.move(pane["x"] + 20, pane["y"] + 20)
    shown.mouse.down()
    shown.mouse.move(pane["x"] + 20 + pane["width"] / 4, pane["y"] + 20, steps=3)
    shown.mouse.up()
    moved = boxes(shown)
    assert len(set(map(tuple, moved))) == 1
    assert moved[0] == pytest.approx([-0.375, -0.625, 2.25], abs=0.01)
    press(shown, "Shift+ArrowDown")
    assert boxes(shown)[0][1] == pytest.approx(-0.725, abs=0.01)
    press(shown, "0")
    assert boxes(shown)[0] == [0, 0, 1]


def test_the_wheel_zooms_with_ctrl_where_the_mouse_is(shown):
    box = shown.locator(".window").bounding_box()
    shown.mouse.move(box["x"], box["y"])
    shown.mouse.wheel(0, -100)
    assert boxes(shown)[0] == [0, 0, 1]  # without Ctrl the page scrolls
    shown.keyboard.down("Control")
    shown.mouse.wheel(0, -100)
    shown.keyboard.up("Control")
    shown.wait_for_function("document.getElementById('zoom').textContent.startsWith('165')")
    assert boxes(shown)[0] == [0, 0, 1.65]  # the corner under the mouse stays


def test_a_double_click_zooms_in_and_out(shown):
    box = shown.locator(".window").bounding_box()
    for width in (2.5, 1):
        shown.mouse.dblclick(box["x"] + box["width"] * 0.9, box["y"] + 20)
        assert boxes(shown)[0][2] == width


def test_two_fingers_zoom_and_one_moves_what_is_zoomed_in(browser, path):
    with opened(browser, path, **PHONE) as (page, _):
        ready(page)
        fingers = Fingers(page)
        fingers("Start", (0.4, 0.5), (0.6, 0.5))
        for apart in (0.25, 0.3, 0.4):
            fingers("Move", (0.5 - apart / 2, 0.5), (0.5 + apart / 2, 0.5))
        fingers("End")
        assert boxes(page)[0] == pytest.approx([-0.5, -0.5, 2], abs=0.03)
        fingers.drag((0.2, 0.5), (0.4, 0.5))
        assert boxes(page)[0] == pytest.approx([-0.3, -0.5, 2], abs=0.03)
        assert divider(page) == 50


# Anywhere


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("key", ["1", "s", "?"])
def test_nothing_is_wider_than_a_phone(browser, path, scheme, key):
    with opened(browser, path, color_scheme=scheme, **PHONE) as (page, heard):
        ready(page)
        press(page, key)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator(".window").first.bounding_box()["width"] > 100
        assert heard.console == []


def test_help_opens_and_closes_by_keys(shown):
    press(shown, "?")
    assert shown.get_by_role("dialog").is_visible()
    press(shown, "Escape")
    assert not shown.get_by_role("dialog").is_visible()


def test_a_single_picture_has_no_list(browser, tmp_path):
    with open_comparison(tmp_path / "one.html", "one") as page:
        page.add(row("first.jpg", (40, 30), COLORS))
    with opened(browser, tmp_path / "one.html", **DESK) as (page, heard):
        ready(page)
        assert not page.locator("#strip").is_visible()
        assert heard.console == []


def test_a_page_without_pictures_says_why(browser, tmp_path):
    with open_comparison(tmp_path / "none.html", "none") as page:
        page.problems = ["broken.jpg: no picture."]
    with opened(browser, tmp_path / "none.html", **DESK) as (page, heard):
        assert page.get_by_text("broken.jpg: no picture.").is_visible()
        assert not page.locator("#viewer").is_visible()
        assert heard.console == []
