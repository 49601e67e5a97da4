import base64
import io
import re
from html.parser import HTMLParser

import pytest
from markupsafe import Markup
from PIL import Image

from colorcli.errors import UnwritableMedia
from colorcli.pages import check_free, data_uri, is_page, open_page, page, picture
from tests.browser import needs_chromium, opened

NASTY = "<script>alert('a')</script> & \"b\" $body"


class Reader(HTMLParser):
    """Collects the tags of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)

    def named(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_titles_and_texts_are_escaped():
    reader = Reader(page(NASTY, Markup("<p title='{0}'>{0}</p>").format(NASTY)))
    assert reader.text.count(NASTY) == 3  # the window's title, the heading, the paragraph
    assert reader.named("p")[0]["title"] == NASTY


def test_a_body_that_is_plain_text_is_escaped():
    assert NASTY in "".join(Reader(page("a", NASTY)).text)


def test_a_page_refers_to_nothing_outside_itself():
    reader = Reader(page("a", Markup("<p>b</p>"), style="p { color: red }", script="1"))
    links = [value for _, attributes in reader.tags for name, value in attributes.items() if name in {"src", "href"}]
    assert all(link.startswith("data:") for link in links)
    policy = next(each["content"] for each in reader.named("meta") if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_a_picture_element_contains_pixels_size_and_alternative_text():
    image = Image.new("RGB", (30, 20), (200, 10, 10))
    (attributes,) = Reader(picture(image, NASTY, quality=90)).named("img")
    assert (attributes["alt"], attributes["width"], attributes["height"]) == (NASTY, "30", "20")
    kind, _, content = attributes["src"].partition(";base64,")
    shown = Image.open(io.BytesIO(base64.b64decode(content)))
    assert (kind, shown.format, shown.size) == ("data:image/webp", "WEBP", (30, 20))
    assert abs(shown.convert("RGB").getpixel((10, 10))[0] - 200) < 5


def test_a_data_uri_contains_the_bytes():
    content = bytes(range(256))
    assert base64.b64decode(data_uri(content, "image/png").removeprefix("data:image/png;base64,")) == content


def test_a_page_written_in_pieces_is_the_same(tmp_path):
    with open_page(tmp_path / "sub" / "a.html", "Ä", style="p {}", script="2") as file:
        file.write("<p>1</p>")
        file.write("<p>2</p>")
    written = (tmp_path / "sub" / "a.html").read_bytes().decode()
    assert written == page("Ä", Markup("<p>1</p><p>2</p>"), style="p {}", script="2")


def test_a_page_that_fails_half_way_keeps_the_existing_file(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("before")
    with pytest.raises(RuntimeError), open_page(path, "a") as file:  # noqa: PT012
        file.write("half")
        raise RuntimeError
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]
    assert path.read_text() == "before"


def test_a_page_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableMedia, match=r"a\.html") as told, open_page(tmp_path / "file" / "a.html", "a"):
        pass
    assert "codec" not in told.value.hint


def test_an_existing_file_is_replaced_only_with_overwrite(tmp_path):
    path = tmp_path / "a.html"
    check_free(path, overwrite=False)
    path.touch()
    check_free(path, overwrite=True)
    with pytest.raises(UnwritableMedia, match="already exists") as told:
        check_free(path, overwrite=False)
    assert "--overwrite" in told.value.hint


def test_pages_by_colorcli_are_recognized(tmp_path):
    path = tmp_path / "a.html"
    assert not is_page(path)
    path.write_bytes(b"\xff\xfe<html>")
    assert not is_page(path)
    path.write_text(page("a", ""))
    assert is_page(path)


def ground(shown):
    return [
        int(each) for each in re.findall(r"\d+", shown.evaluate("getComputedStyle(document.body).backgroundColor"))
    ]


@needs_chromium
def test_dark_and_light_follow_the_system_until_the_button_is_pressed(browser, tmp_path):
    path = tmp_path / "a.html"
    path.write_text(page("a", Markup("<main>b</main>")))
    for scheme, bright in (("light", True), ("dark", False)):
        with opened(browser, path, color_scheme=scheme) as (shown, heard):
            assert (ground(shown)[0] > 128) == bright
            shown.get_by_role("button", name="dark and light").click()
            assert (ground(shown)[0] > 128) != bright
            shown.reload()
            assert (ground(shown)[0] > 128) != bright
            shown.keyboard.press("d")
            assert (ground(shown)[0] > 128) == bright
            assert heard.console == []


@needs_chromium
def test_foreign_scripts_do_not_run_and_nothing_is_loaded(browser, tmp_path):
    path = tmp_path / "a.html"
    intruders = (
        '<script>document.title = "b"</script><p onclick="1" style="color: red">c</p>'
        '<img alt="" src="https://example.org/a.png"><img alt="" src="x" onerror="document.title = 1">'
    )
    path.write_text(page("a", Markup(intruders), script='document.body.dataset.ran = "yes"'))
    with opened(browser, path) as (shown, heard):
        assert shown.title() == "a"
        assert shown.evaluate("document.body.dataset.ran") == "yes"
        assert shown.evaluate("getComputedStyle(document.querySelector('p')).color") != "rgb(255, 0, 0)"
        assert len(heard.console) >= 4  # each is told of
        assert heard.loaded == [path.as_uri()]  # the others were asked for and refused
        assert len(heard.requests) == 3


def test_a_page_may_name_files_whose_names_are_not_utf_8(tmp_path):
    with open_page(tmp_path / "page.html", "title") as file:
        file.write("\udce9.jpg")
    assert r"\udce9.jpg" in (tmp_path / "page.html").read_text(encoding="utf-8")
