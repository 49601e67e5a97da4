import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from colorcli.cli import colorcli, main
from colorcli.weights.manifest import format_table
from tests.hub import COMMIT, TOKEN, connected, environment
from tests.publishing.test_release import run  # noqa: F401  # a fixture
from tests.site_packages import SitePackages
from tests.tiny import tiny_network, write_tiny_weights
from tests.weights.conftest import BEST, STARTER, describe

PLAIN = """
    from pathlib import Path
    from colorcli import Colorizer, hookimpl, read_manifest

    class Plain(Colorizer):
        name = "plain"
        summary = "Stays gray."
        weights = read_manifest("plain", Path(__file__).parent)
        def build(self):
            raise NotImplementedError
        def predict(self, network, lightness, **options):
            raise NotImplementedError

    @hookimpl
    def register_colorizers(register):
        register(Plain())
"""
TABLES = {
    "best": describe("best.bin", BEST, "someone/something"),
    "limited": describe("limited.bin", STARTER, "someone/something", license="CC-BY-NC-4.0"),
    "starter": describe("starter.bin", STARTER),
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub with the weights of a colorizer that is installed beside ours."""
    with connected(monkeypatch, tmp_path) as hub:
        hub.files |= {"someone/something/best.bin": BEST, "someone/something/limited.bin": STARTER}
        yield hub


@pytest.fixture
def site(hub, monkeypatch, tmp_path):
    site = SitePackages(tmp_path / "site")
    site.add(f"weights-plain-{tmp_path.name.replace('_', '-')}", PLAIN, "plain")  # a module is imported once
    (site.folder / "starter.bin").write_bytes(STARTER)
    pin(site, **TABLES)
    monkeypatch.syspath_prepend(site.folder)
    return site


def pin(site, **tables):
    """Write the manifest of the colorizer."""
    text = "\n".join(format_table(tag, weights) for tag, weights in tables.items())
    (site.folder / "plain.toml").write_text(text)


def process(hub, tmp_path, *words, **settings):
    """Run the command in a process of its own, as a user does."""
    command = [sys.executable, "-m", "colorcli", "weights", *words]
    settings = environment(hub, tmp_path, PYTHONPATH=str(tmp_path / "site"), **settings)
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


@pytest.fixture
def weights(site, capsys):
    def weights(*words):
        code = main(["weights", *map(str, words)])
        return code, *capsys.readouterr()

    return weights


@pytest.mark.parametrize("command", colorcli.commands["weights"].commands)
def test_help_of_every_command_is_quick(command):
    program = f"""
import sys
from colorcli.cli import main
assert main(["weights", {command!r}, "--help"]) == 0
print(sorted({{"torch", "numpy", "rich", "huggingface_hub", "safetensors"}} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


# list


def test_list_says_of_all_weights_where_they_are(weights):
    def rows():
        return {line.split()[0]: line.split()[1:] for line in weights("list")[1].splitlines()}

    assert rows()["WEIGHTS"] == ["SIZE", "LICENSE", "WHERE", "SHA256"]
    assert rows()["plain.best"] == ["0.2", "MB", "MIT", "on", "the", "Hub", TABLES["best"].sha256[:12]]
    assert rows()["plain.starter"][3] == rows()["zhang.starter"][3] == "bundled"
    weights("pull", "plain.best")
    assert rows()["plain.best"][3] == "cached"


def test_list_as_json_has_all_facts(weights):
    code, output, _ = weights("list", "--json")
    facts = {each["name"]: each for each in json.loads(output)}
    assert code == 0
    assert facts["plain.best"] | {"source": ""} == {
        "name": "plain.best",
        "size": len(BEST),
        "license": "MIT",
        "where": "on the Hub",
        "sha256": TABLES["best"].sha256,
        "repo": "someone/something",
        "file": "best.bin",
        "revision": None,
        "path": None,
        "source": "",
    }
    assert Path(facts["plain.starter"]["path"]).read_bytes() == STARTER


# pull and path


def test_pull_fetches_and_prints_where(weights):
    code, output, errors = weights("pull", "plain.best")
    assert code == 0
    assert Path(output.strip()).read_bytes() == BEST
    assert errors == ""  # standard error is no terminal: no bar
    assert weights("path", "plain.best")[1] == output


def test_pull_of_a_bare_name_is_of_its_first_tag(weights):
    assert weights("pull", "plain")[1] == weights("path", "plain.best")[1]


def test_pull_in_a_process_of_its_own_shows_the_license_first(hub, site, tmp_path):
    done = process(hub, tmp_path, "pull", "plain.best")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "plain.best is under the license MIT (tests).\n"
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_bytes() == BEST
    again = process(hub, tmp_path, "pull", "plain.best", "--offline")
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
def test_pull_on_a_terminal_shows_a_bar(hub, site, tmp_path):
    hub.pause = 0.2
    shown = on_a_terminal(hub, tmp_path, "pull", "plain.best")
    assert "plain.best" in shown
    assert "━" in shown
    assert "kB" in shown


def on_a_terminal(hub, tmp_path, *words, answer=""):
    """What a command shows on a terminal, and asks there."""
    import pty

    ours, theirs = pty.openpty()
    settings = environment(hub, tmp_path, PYTHONPATH=str(tmp_path / "site"), TERM="xterm", COLUMNS="100")
    command = [sys.executable, "-m", "colorcli", "weights", *map(str, words)]
    child = subprocess.Popen(command, env=settings, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how a terminal says that nobody is there any more
            break
        if not part:
            break
        shown += part
    os.close(ours)
    child.wait(timeout=30)
    return shown.decode()


def test_pull_says_what_is_wrong_and_what_to_do(weights, hub):
    hub.status = 503
    code, output, errors = weights("pull", "plain.best")
    assert (code, output) == (1, "")
    assert errors.startswith(
        "error: someone/something/best.bin cannot be had: the Hub answered with status 503.\nhint: "
    )


def test_pull_of_several_goes_on_after_an_error(weights, hub):
    del hub.files["someone/something/best.bin"]
    code, output, errors = weights("pull", "plain.best", "plain.starter")
    assert code == 1
    assert output == f"{weights('path', 'plain.starter')[1]}"
    assert "best.bin is not on the Hub" in errors


def test_pull_all_fetches_all_of_all_colorizers(weights, hub):
    """Of ours, which this Hub does not have, it says so."""
    code, output, errors = weights("pull", "--all", "--accept-license")
    assert code == 1
    fetched = [Path(line).name for line in output.splitlines()]
    assert {"best.bin", "limited.bin", "starter.bin", "zhang-starter.safetensors"} <= set(fetched)
    assert "ckpt/colorization/colorization_release_v2-9b330a0b.pth is in a repository that the Hub does not" in errors


@pytest.mark.parametrize("words", [[], ["plain.best", "--all"]], ids=str)
def test_pull_wants_names_or_all(weights, words):
    code, _, errors = weights("pull", *words)
    assert code == 2
    assert "or --all" in errors


def test_a_limited_license_is_accepted_once(weights):
    code, _, errors = weights("pull", "plain.limited")
    assert code == 1
    assert "CC-BY-NC-4.0, which forbids commercial use" in errors
    assert "hint: If that suits you, accept it once: colorcli weights pull plain.limited --accept-license" in errors
    assert weights("pull", "plain.limited", "--accept-license")[0] == 0
    assert weights("pull", "plain.limited")[0] == 0


def test_a_limited_license_is_accepted_by_a_run_too(site, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "a.png"
    assert main(["run", "--model", "plain.limited", "--accept-license", "--dry-run", str(picture)]) == 1
    capsys.readouterr()
    assert main(["weights", "pull", "plain.limited"]) == 0


def test_path_is_that_of_the_best_that_is_here(weights):
    assert weights("path", "plain")[1].strip().endswith("starter.bin")
    code, _, errors = weights("path", "plain.best")
    assert code == 1
    assert "best.bin is not here" in errors
    weights("pull", "plain.best")
    assert weights("path", "plain")[1].strip().endswith("best.bin")


@pytest.mark.parametrize("command", ["pull", "path", "verify"])
def test_a_misspelled_name_is_told(weights, command):
    code, _, errors = weights(command, "plain.bst")
    assert code == 2
    assert "Did you mean best?" in errors
    assert weights(command, "plane")[0] == 2


# verify


def test_verify_reads_all_that_is_here(weights):
    weights("pull", "plain.best")
    code, output, errors = weights("verify")
    assert code == 0, errors
    lines = output.splitlines()
    assert {"plain.best: as it should be", "plain.limited: not here", "plain.starter: as it should be"} <= set(lines)


def test_verify_finds_what_a_glance_would_not(weights):
    path = Path(weights("pull", "plain.best")[1].strip()).resolve()
    stat = path.stat()
    path.write_bytes(BEST[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    code, output, errors = weights("verify", "plain.best", "plain.starter")
    assert code == 1
    assert output == "plain.best: wrong\nplain.starter: as it should be\n"
    assert "best.bin has the sha256" in errors
    assert "colorcli weights pull plain.best" in errors
    assert path.exists()


def test_verify_misses_what_was_asked_for(weights, site):
    assert weights("verify", "plain.best")[:2] == (1, "plain.best: not here\n")
    (site.folder / "starter.bin").unlink()
    assert weights("verify", "plain.starter")[:2] == (1, "plain.starter: missing\n")


# prune


@pytest.fixture
def outdated(weights, site):
    """Weights were fetched that the manifest does not name any more."""
    path = Path(weights("pull", "plain.best")[1].strip())
    pin(site, newer=replace(TABLES["best"], sha256="0" * 64), starter=TABLES["starter"])
    return path


def test_prune_asks_before_it_deletes(outdated, hub, site, tmp_path):
    settings = {"HF_HUB_CACHE": str(tmp_path / "huggingface")}
    done = process(hub, tmp_path, "prune", **settings)
    assert done.returncode == 2
    assert "someone/something/best.bin  0.2 MB" in done.stdout
    assert "Add --yes" in done.stderr
    assert outdated.exists()
    done = process(hub, tmp_path, "prune", "--yes", **settings)
    assert done.returncode == 0, done.stderr
    assert not outdated.exists()
    assert "nothing to delete" in process(hub, tmp_path, "prune", **settings).stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
@pytest.mark.parametrize(("answer", "there"), [("n\n", True), ("y\n", False)])
def test_prune_does_as_it_is_answered(hub, site, tmp_path, answer, there):
    path = Path(process(hub, tmp_path, "pull", "plain.best").stdout.strip())
    pin(site, starter=TABLES["starter"])
    assert "Delete 0.2 MB?" in on_a_terminal(hub, tmp_path, "prune", answer=answer)
    assert path.exists() == there


def test_prune_refuses_where_it_cannot_know_what_is_needed(weights, site, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "zhang")
    code, _, errors = weights("prune", "--yes")
    assert code == 2
    assert "COLORCLI_PLUGINS is set" in errors
    monkeypatch.delenv("COLORCLI_PLUGINS")
    site.add("weights-broken", "import nothing_of_that_name", "broken")
    code, _, errors = weights("prune", "--yes")
    assert code == 1
    assert "The plugin broken is broken" in errors


# import


def test_import_writes_weights_that_run_takes(weights, tmp_path):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    code, output, errors = weights("import", ours, "--model", "zhang", "-o", tmp_path / "mine.safetensors")
    assert (code, output) == (0, f"{tmp_path / 'mine.safetensors'}\n"), errors
    assert tomllib.loads((tmp_path / "mine.toml").read_text())["tiny"]["file"] == "mine.safetensors"


def test_import_refuses_what_does_not_fit(weights, tmp_path):
    torch.save(tiny_network().state_dict(), tmp_path / "theirs.pth")  # without a header, it should be as zhang.starter
    code, _, errors = weights("import", tmp_path / "theirs.pth", "--model", "zhang.starter")
    assert code == 1
    assert "does not fit the network of zhang" in errors


# publish


def test_publish_shows_what_it_uploads_and_asks(hub, site, run, tmp_path):  # noqa: F811
    words = ["publish", str(run), "--repo", "me/mine", "--license", "CC-BY-4.0"]
    done = process(hub, tmp_path, *words, HF_TOKEN=TOKEN)
    assert done.returncode == 2
    assert "zhang-tiny.safetensors" in done.stderr
    assert "# zhang.tiny" in done.stderr
    assert "--trained-on TEXT says more" in done.stderr
    assert "Add --yes" in done.stderr
    assert not any(name.startswith("me/") for name in hub.files)


def test_what_is_published_can_be_run(hub, site, run, tmp_path, weights, monkeypatch):  # noqa: F811
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    words = [
        "--repo",
        "me/mine",
        "--license",
        "CC-BY-4.0",
        "--trained-on",
        "Photographs of mine.",
        "--private",
        "--yes",
    ]
    code, output, errors = weights("publish", run, *words)
    assert code == 0, errors
    assert output == f"{hub.endpoint}/me/mine/commit/{hub.commits['me/mine']}\n"
    assert "says more" not in errors
    uri = errors.splitlines()[-1].removeprefix("To use it: --weights ")
    from PIL import Image

    Image.linear_gradient("L").save(tmp_path / "a.png")
    assert main(["run", "--weights", uri, str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a-color.png").exists()


def test_publish_can_be_tried_without_a_hub(weights, hub, run, tmp_path):  # noqa: F811
    code, output, _ = weights(
        "publish", run, "--repo", "me/mine", "--license", "MIT", "--no-samples", "--dry-run", tmp_path / "dry"
    )
    assert code == 0
    names = ["README.md", "curves.png", "zhang-tiny.safetensors", "zhang-tiny.toml"]
    assert [Path(line).name for line in output.splitlines()] == names
    assert hub.requests == []


def test_publish_wants_a_license(weights, run):  # noqa: F811
    code, _, errors = weights("publish", run, "--repo", "me/mine")
    assert code == 2
    assert "--license" in errors


# --weights hf://


@pytest.mark.parametrize("command", ["run", "evaluate", "compare"])
def test_a_file_on_the_hub_is_taken_wherever_weights_are(hub, tmp_path, command, capsys):
    from PIL import Image

    hub.files["me/mine/tiny.safetensors"] = write_tiny_weights(tmp_path / "tiny.safetensors").read_bytes()
    (tmp_path / "photos").mkdir()
    gradient = Image.linear_gradient("L")
    Image.merge("RGB", [gradient, gradient.rotate(90), gradient]).save(tmp_path / "photos" / "a.png")
    data, uri = str(tmp_path / "photos"), f"hf://me/mine/tiny.safetensors@{COMMIT}"
    words = {
        "run": ["run", data, "--weights", uri],
        "evaluate": ["evaluate", "zhang", data, "--weights", uri, "--size", "64"],
        "compare": ["compare", "zhang", data, "--weights", uri, "--sheet", str(tmp_path / "sheet.png")],
    }
    assert main(words[command]) == 0, capsys.readouterr().err
    assert "GET /me/mine/resolve/" + COMMIT + "/tiny.safetensors" in hub.requests


def test_a_run_without_a_hub_says_so_once_and_goes_on(hub, tmp_path):
    from PIL import Image

    for name in "ab":
        Image.linear_gradient("L").resize((40, 40)).save(tmp_path / f"{name}.png")
    hub.status = 503
    command = [sys.executable, "-m", "colorcli", "run", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    done = subprocess.run(command, env=environment(hub, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("note: Using zhang.starter, not the better zhang.eccv16: ")
