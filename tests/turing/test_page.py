"""The page that asks, in a browser."""

import json

import pytest

from colorcli.turing.answers import read_result
from tests.browser import chromium, needs_chromium, opened
from tests.turing.squares import COLORS, write_test

pytestmark = needs_chromium
MIDDLE = """() => {
  const image = document.querySelector("#stage img");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(5, 5, 1, 1).data].slice(0, 3);
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def begin(page, participant="1"):
    page.get_by_label("Your name or number").fill(participant)
    page.keyboard.press("Enter")


def version_of(page):
    """Identify the picture on the stage by its red, which the page does not reveal."""
    red = page.evaluate(MIDDLE)[0]
    names = {color[0]: "real" if name == "original" else name for name, color in COLORS.items()}
    return names[min(names, key=lambda each: abs(each - red))]


def answer_all(page, count, press):
    """Answer every picture; what each was, in order, and its text."""
    seen = []
    for number in range(1, count + 1):
        page.get_by_alt_text(f"Picture {number} of {count}").wait_for()
        seen.append(version_of(page))
        press(page, seen[-1])
    page.get_by_role("heading", name="Thank you").wait_for()
    return seen


def by_key(page, version):
    page.keyboard.press("r" if version == "real" else "c")


def sent(page, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_person_answers_by_keyboard_alone_and_the_file_says_what_they_answered(browser, tmp_path):
    page_file, _, key = write_test(tmp_path, 4, models=["vivid"])
    with opened(browser, page_file) as (page, heard):
        page.keyboard.press("Tab")  # the switch of dark and light
        page.keyboard.press("Tab")
        page.keyboard.type("Zoë 7/b")
        page.keyboard.press("Enter")
        seen = answer_all(page, 4, by_key)
        path = sent(page, tmp_path)
        assert heard.console == []
        assert heard.loaded == [page_file.as_uri()]
    assert sorted(seen) == ["real", "real", "vivid", "vivid"]
    assert path.name == f"turing-{key.test}-Zoë-7-b.json"
    result = read_result(path, key)
    assert result.participant == "Zoë 7/b"
    assert [key.pictures[picture].version for picture in result.answers] == seen
    assert list(result.answers.values()) == [version == "real" for version in seen]
    given = json.loads(path.read_text())["answers"]
    assert all(0 <= each["shown"] == each["milliseconds"] < 60_000 for each in given)


def test_a_person_answers_by_touch_on_a_phone_without_scrolling(browser, tmp_path):
    page_file, _, _ = write_test(tmp_path, 3, models=["vivid"])

    def tap(page, version):
        button = page.get_by_role("button", name="Real" if version == "real" else "By a computer")
        box = button.bounding_box()
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= 360
        assert box["y"] + box["height"] <= 640
        button.tap()

    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    with opened(browser, page_file, **phone) as (page, heard):
        begin(page)
        answer_all(page, 3, tap)
        page.get_by_role("button", name="Copy the text").tap()
        page.get_by_text("Copied.").wait_for()
        assert json.loads(page.get_by_label("Your answers").input_value())["participant"] == "1"
        assert heard.console == []


def test_a_picture_disappears_after_its_time_and_can_still_be_answered(browser, tmp_path):
    page_file, _, key = write_test(tmp_path, 2, models=["vivid"], seconds=2)
    with opened(browser, page_file) as (page, _):
        begin(page)
        page.locator("#stage img").wait_for()
        page.get_by_text("Real, or colored by a computer?").wait_for()
        assert page.locator("#stage img").count() == 0
        page.keyboard.press("ArrowRight")
        page.get_by_alt_text("Picture 2 of 2").wait_for()
        page.keyboard.press("ArrowLeft")
        path = sent(page, tmp_path)
    late, _ = json.loads(path.read_text())["answers"]
    assert late["shown"] >= 1990
    assert late["milliseconds"] > late["shown"]
    assert list(read_result(path, key).answers.values()) == [False, True]


def test_keys_do_nothing_before_a_picture_is_shown(browser, tmp_path):
    page_file, _, _ = write_test(tmp_path, 2, models=["vivid"])
    with opened(browser, page_file) as (page, _):
        page.keyboard.press("r")
        begin(page)
        page.keyboard.press("r")  # before the first picture
        page.get_by_alt_text("Picture 1 of 2").wait_for()
        assert page.get_by_role("status").first.text_content() == "Picture 1 of 2"


def test_practice_gives_feedback_and_does_not_count(browser, tmp_path):
    page_file, _, key = write_test(tmp_path, 4, models=["vivid"], practice=2)
    with opened(browser, page_file) as (page, _):
        begin(page)
        for number, right in ((1, True), (2, False)):
            page.get_by_alt_text(f"Practice {number} of 2").wait_for()
            real = version_of(page) == "real"
            page.keyboard.press("r" if real == right else "c")
            verdict = "Right" if right else "Wrong"
            truth = "the colors are real" if real else "a computer colored this picture"
            page.get_by_text(f"{verdict}: {truth}.").wait_for()
            page.keyboard.press("Enter")
        page.get_by_text("That was the practice.").wait_for()
        page.keyboard.press("Enter")
        answer_all(page, 2, by_key)
        assert len(read_result(sent(page, tmp_path), key).answers) == 2


def test_numbered_participants_rotate_through_the_groups_and_one_person_always_sees_the_same(browser, tmp_path):
    page_file, _, key = write_test(tmp_path, 3)
    seen = {}
    for participant in ("0", "0 ", "1", "2", "3", "4"):
        with opened(browser, page_file) as (page, _):
            begin(page, participant)
            answer_all(page, 3, by_key)
            text = json.loads(page.get_by_label("Your answers").input_value())
            seen[participant] = text["group"], [each["picture"] for each in text["answers"]]
    assert [seen[each][0] for each in ("0", "1", "2", "3", "4")] == [0, 1, 2, 3, 0]
    assert sorted(seen["0"][1]) == sorted(seen["4"][1])
    assert seen["0"][1] != seen["4"][1]  # in another order
    assert seen["0"] == seen["0 "]
    shown = [picture for each in "0123" for picture in seen[each][1]]
    for name, picture in key.pictures.items():
        assert shown.count(name) == (2 if picture.version == "real" else 1)


def test_the_url_can_name_the_participant(browser, tmp_path):
    page_file, _, _ = write_test(tmp_path, 2)
    with opened(browser, page_file) as (page, heard):
        page.goto(f"{page_file.as_uri()}#Zo%C3%AB")
        page.reload()
        assert page.get_by_label("Your name or number").input_value() == "Zoë"
        assert heard.console == []
