"""Every English text of the page is in texts.json, and every one of them is used."""

from __future__ import annotations

import json
import re

from colorcli.serve.page import render_page
from tests.documentation import ROOT

PAGE = ROOT / "colorcli" / "serve" / "page"
TEXTS = json.loads((PAGE / "texts.json").read_text(encoding="utf-8"))
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((PAGE / "static").glob("*.js"))}


def test_scripts_use_the_texts_that_there_are():
    used = set()
    for script in SCRIPTS.values():
        for call in re.findall(r"\btext\(((?:[^()]|\([^()]*\))*)\)", script):
            used |= set(re.findall(r'"(\w+)"', call.partition("{")[0]))
    states = {"waiting", "opening", "failed"}  # of a photograph, by its state
    assert used - set(TEXTS["script"]) == {"undo", "ready", "model"}  # which are compared with
    assert set(TEXTS["script"]) - used - states == set()


def test_the_template_uses_the_texts_that_there_are():
    template = (PAGE / "index.html").read_text(encoding="utf-8")
    used = set(re.findall(r"\bp\.(\w+)", template))
    assert used == set(TEXTS["page"])
    page = render_page([], 1)
    assert "built-in" not in page  # methods of Python have names, too
    for words in TEXTS["page"].values():
        assert not isinstance(words, str) or words in page


def test_the_template_has_no_texts_of_its_own():
    template = re.sub(r"{%.*?%}|{{.*?}}", "", (PAGE / "index.html").read_text(encoding="utf-8"))
    words = re.sub(r"<[^>]*>", " ", template)
    assert set(re.findall(r"[A-Za-z]{2,}", re.sub(r"&\w+;", " ", words))) <= {"JPEG", "PNG", "TIFF", "WebP"}


def test_what_plugins_say_cannot_become_markup():
    page = render_page([{"name": "</script><script>alert(1)</script>", "summary": "<b>", "options": []}], 1)
    assert "<script>alert" not in page
    assert page.count("</script>") == 4


def test_no_script_writes_html():
    for name, script in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script), name
