import inspect
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import hf_hub_download

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
    """A Hub with the weights of a third-party colorizer."""
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
    """Run the command in another process, as users do."""
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
def test_the_help_of_every_command_imports_nothing_slow(command):
    program = f"""
import sys
from colorcli.cli import main
assert main(["weights", {command!r}, "--help"]) == 0
print(sorted({{"torch", "numpy", "rich", "huggingface_hub", "safetensors"}} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


# list


def test_list_shows_where_weights_are(weights):
    def rows():
        return {line.split()[0]: line.split()[1:] for line in weights("list")[1].splitlines()}

    assert rows()["WEIGHTS"] == ["SIZE", "LICENSE", "WHERE", "SHA256"]
    assert rows()["plain.best"] == ["0.2", "MB", "MIT", "on", "the", "Hub", TABLES["best"].sha256[:12]]
    assert rows()["plain.starter"][3] == rows()["zhang.starter"][3] == "bundled"
    weights("pull", "plain.best")
    assert rows()["plain.best"][3] == "cached"


def test_list_as_json_has_every_field(weights):
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
        "page": None,
        "path": None,
        "source": "",
    }
    assert Path(facts["plain.starter"]["path"]).read_bytes() == STARTER


# pull


def test_pull_downloads_and_prints_the_path(weights):
    code, output, errors = weights("pull", "plain.best")
    assert code == 0
    assert Path(output.strip()).read_bytes() == BEST
    assert errors == ""  # standard error is no terminal: no bar
    assert weights("pull", "plain.best", "--offline")[1] == output


def test_pull_of_a_colorizer_downloads_its_first_tag(weights):
    assert weights("pull", "plain")[1] == weights("pull", "plain.best", "--offline")[1]


def test_pull_shows_the_license_first(hub, site, tmp_path):
    done = process(hub, tmp_path, "pull", "plain.best")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "plain.best is licensed under MIT (tests).\n"
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_bytes() == BEST
    again = process(hub, tmp_path, "pull", "plain.best", "--offline")
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
@pytest.mark.skipif(
    "tqdm_class" not in inspect.signature(hf_hub_download).parameters,
    reason="huggingface-hub reports no progress before 1.0",
)
def test_pull_on_a_terminal_shows_a_progress_bar(hub, site, tmp_path):
    hub.pause = 0.2
    shown = on_a_terminal(hub, tmp_path, "pull", "plain.best")
    assert "plain.best" in shown
    assert "━" in shown
    assert "kB" in shown


def on_a_terminal(hub, tmp_path, *words, answer=""):
    """Return what a command prints on a terminal."""
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
        except OSError:  # the terminal was closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    child.wait(timeout=300)
    return shown.decode()


def test_pull_reports_errors_with_a_hint(weights, hub):
    hub.status = 503
    code, output, errors = weights("pull", "plain.best")
    assert (code, output) == (1, "")
    assert errors.startswith(
        "error: someone/something/best.bin cannot be downloaded: the Hub answered with status 503.\nhint: "
    )


def test_pull_of_several_continues_after_an_error(weights, hub):
    del hub.files["someone/something/best.bin"]
    code, output, errors = weights("pull", "plain.best", "plain.starter")
    assert code == 1
    assert output == f"{weights('pull', 'plain.starter')[1]}"
    assert "best.bin was not found on the Hub" in errors


def test_pull_all_downloads_all_weights_of_all_colorizers(weights, hub):
    """Ours are not on this Hub, which is reported."""
    code, output, errors = weights("pull", "--all", "--accept-license")
    assert code == 1
    fetched = [Path(line).name for line in output.splitlines()]
    assert {"best.bin", "limited.bin", "starter.bin", "zhang-starter.safetensors"} <= set(fetched)
    assert "ckpt/colorization/colorization_release_v2-9b330a0b.pth is in a repository that does not exist" in errors


@pytest.mark.parametrize("words", [[], ["plain.best", "--all"]], ids=str)
def test_pull_requires_names_or_all(weights, words):
    code, _, errors = weights("pull", *words)
    assert code == 2
    assert "or --all" in errors


def test_a_restricted_license_is_accepted_once(weights):
    code, _, errors = weights("pull", "plain.limited")
    assert code == 1
    assert "CC-BY-NC-4.0, which forbids commercial use" in errors
    assert "hint: To accept this, once: colorcli weights pull plain.limited --accept-license" in errors
    assert weights("pull", "plain.limited", "--accept-license")[0] == 0
    assert weights("pull", "plain.limited")[0] == 0


def test_a_run_can_accept_a_restricted_license(site, tmp_path, monkeypatch, capsys):
    from PIL import Image

    Image.linear_gradient("L").save(tmp_path / "a.png")
    assert main(["run", "--model", "plain.limited", "--accept-license", str(tmp_path / "a.png")]) == 1
    assert "Cannot open" in capsys.readouterr().err  # downloaded, but not real weights
    assert main(["weights", "pull", "plain.limited"]) == 0


@pytest.mark.parametrize("command", ["pull", "verify"])
def test_a_misspelled_name_is_reported(weights, command):
    code, _, errors = weights(command, "plain.bst")
    assert code == 2
    assert "Did you mean best?" in errors
    assert weights(command, "plane")[0] == 2


# verify


def test_verify_checks_all_local_files(weights):
    weights("pull", "plain.best")
    code, output, errors = weights("verify")
    assert code == 0, errors
    lines = output.splitlines()
    assert {"plain.best: ok", "plain.limited: not downloaded", "plain.starter: ok"} <= set(lines)


def test_verify_notices_changes_that_keep_size_and_time(weights):
    path = Path(weights("pull", "plain.best")[1].strip()).resolve()
    stat = path.stat()
    path.write_bytes(BEST[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    code, output, errors = weights("verify", "plain.best", "plain.starter")
    assert code == 1
    assert output == "plain.best: corrupt\nplain.starter: ok\n"
    assert "best.bin has the sha256" in errors
    assert "colorcli weights pull plain.best" in errors
    assert path.exists()


def test_verify_reports_missing_files(weights, site):
    assert weights("verify", "plain.best")[:2] == (1, "plain.best: not downloaded\n")
    (site.folder / "starter.bin").unlink()
    assert weights("verify", "plain.starter")[:2] == (1, "plain.starter: missing\n")


# prune


@pytest.fixture
def outdated(weights, site):
    """Downloaded weights that the manifest no longer names."""
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
    assert "Nothing to delete" in process(hub, tmp_path, "prune", **settings).stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
@pytest.mark.parametrize(("answer", "there"), [("n\n", True), ("y\n", False)])
def test_prune_obeys_the_answer(hub, site, tmp_path, answer, there):
    path = Path(process(hub, tmp_path, "pull", "plain.best").stdout.strip())
    pin(site, starter=TABLES["starter"])
    assert "Delete 0.2 MB?" in on_a_terminal(hub, tmp_path, "prune", answer=answer)
    assert path.exists() == there


def test_prune_refuses_if_plugins_are_unknown(weights, site, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "zhang")
    code, _, errors = weights("prune", "--yes")
    assert code == 2
    assert "COLORCLI_PLUGINS is set" in errors
    monkeypatch.delenv("COLORCLI_PLUGINS")
    site.add("weights-broken", "import nothing_of_that_name", "broken")
    code, _, errors = weights("prune", "--yes")
    assert code == 1
    assert "the plugin broken is broken" in errors


# import


def test_import_writes_weights(weights, tmp_path):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    code, output, errors = weights("import", ours, "--model", "zhang", "-o", tmp_path / "mine.safetensors")
    assert (code, output) == (0, f"{tmp_path / 'mine.safetensors'}\n"), errors
    assert tomllib.loads((tmp_path / "mine.toml").read_text())["tiny"]["file"] == "mine.safetensors"


def test_import_refuses_weights_that_do_not_fit(weights, tmp_path):
    torch.save(tiny_network().state_dict(), tmp_path / "theirs.pth")  # without a header, it should be as zhang.starter
    code, _, errors = weights("import", tmp_path / "theirs.pth", "--model", "zhang.starter")
    assert code == 1
    assert "does not fit the network of zhang" in errors


# publish


def test_publish_shows_the_files_and_asks(hub, site, run, tmp_path):  # noqa: F811
    words = ["publish", str(run), "--repo", "me/mine", "--license", "CC-BY-4.0"]
    done = process(hub, tmp_path, *words, HF_TOKEN=TOKEN)
    assert done.returncode == 2
    assert "zhang-tiny.safetensors" in done.stderr
    assert "# zhang.tiny" in done.stderr
    assert "Use --trained-on TEXT to say more" in done.stderr
    assert "Add --yes" in done.stderr
    assert not any(name.startswith("me/") for name in hub.files)


def test_published_weights_can_be_run(hub, site, run, tmp_path, weights, monkeypatch):  # noqa: F811
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
    assert "to say more" not in errors
    uri = errors.splitlines()[-1].removeprefix("Use with: --weights ")
    from PIL import Image

    Image.linear_gradient("L").save(tmp_path / "a.png")
    assert main(["run", "--weights", uri, str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a-color.png").exists()


def test_publish_has_a_dry_run(weights, hub, run, tmp_path):  # noqa: F811
    code, output, _ = weights(
        "publish", run, "--repo", "me/mine", "--license", "MIT", "--no-samples", "--dry-run", tmp_path / "dry"
    )
    assert code == 0
    names = ["README.md", "curves.png", "zhang-tiny.safetensors", "zhang-tiny.toml"]
    assert [Path(line).name for line in output.splitlines()] == names
    assert hub.requests == []


def test_publish_requires_a_license(weights, run):  # noqa: F811
    code, _, errors = weights("publish", run, "--repo", "me/mine")
    assert code == 2
    assert "--license" in errors


# --weights hf://


@pytest.mark.parametrize("command", ["run", "evaluate", "compare"])
def test_every_command_takes_weights_from_the_hub(hub, tmp_path, command, capsys):
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


def test_a_run_without_the_hub_uses_bundled_weights_and_says_so_once(hub, tmp_path):
    from PIL import Image

    for name in "ab":
        Image.linear_gradient("L").resize((40, 40)).save(tmp_path / f"{name}.png")
    hub.status = 503
    command = [sys.executable, "-m", "colorcli", "run", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    done = subprocess.run(command, env=environment(hub, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("note: Using zhang.starter, because the better zhang.eccv16 is not available: ")
