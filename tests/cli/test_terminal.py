import io
import logging
import os
import subprocess
import sys

import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.cli.terminal import PrintableStream, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J", "\\x9b2J"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("back\x08", "back\\x08"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("Köln 🎨\tand\nmore", "Köln 🎨\tand\nmore"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert printable(text) == shown
    stream = io.StringIO()
    PrintableStream(stream).writelines([text])
    assert stream.getvalue() == shown


ESCAPE = "\x1b]0;owned\x07\x1b[2J"
COMMANDS = {
    "a model": ["run", "--model", f"zhang{ESCAPE}", "a.jpg"],
    "an option": ["run", "-p", f"{ESCAPE}=1", "--model", "zhang.starter", "a.jpg"],
    "a file": ["run", f"{ESCAPE}.jpg"],
    "weights": ["run", "--weights", f"{ESCAPE}.safetensors", "a.jpg"],
    "a link": ["run", "--weights", f"hf://o/r/{ESCAPE}", "a.jpg"],
    "a command": [f"{ESCAPE}"],
    "a run": ["weights", "publish", ESCAPE, "--repo", f"a/{ESCAPE}", "--license", "MIT"],
    "weights to import": ["weights", "import", f"{ESCAPE}.pth", "--model", "zhang"],
    "settings": ["models"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_escapes_in_errors_are_shown(tmp_path, monkeypatch, capfd, words):
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").save("a.jpg")
    if words == ["models"]:
        (tmp_path / "colorcli.toml").write_text('["\\u001b[2J"]\n')
    assert main(words) != 0
    out, err = capfd.readouterr()
    assert err
    assert printable(out + err) == out + err


def test_escapes_in_the_log_are_shown(capsys, monkeypatch):
    from colorcli.cli import terminal

    with terminal.printable_output():
        logging.getLogger("colorcli").addHandler(handler := logging.StreamHandler())
        try:
            logging.getLogger("colorcli").warning("from a server: %s", ESCAPE)
        finally:
            logging.getLogger("colorcli").removeHandler(handler)
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
def test_results_on_a_terminal_are_printable_and_in_a_pipe_as_they_are(tmp_path):
    import pty

    program = (
        "import click; from colorcli.cli.terminal import printable_output\n"
        "with printable_output(): click.echo('\\x1b[2Jresult')"
    )
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True)
    assert b"\x1b" not in os.read(ours, 100)
    assert piped.stdout.endswith("result\n")
