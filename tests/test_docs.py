"""The documentation is correct: its commands run, its tables are complete, its links resolve."""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

import colorcli
from colorcli import Weights, errors
from colorcli.cli import colorcli as command_line
from colorcli.cli import main
from colorcli.plugin.registry import Registry
from colorcli.settings import read_settings
from colorcli.training.recipes import TrainingSettings
from tests.documentation import PAGES, README, ROOT, SETUP, blocks, first_cells, headings, prose, read
from tests.media.films.clips import make_clip

DOCS = ROOT / "docs"
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EVERY_PAGE = [README, *PAGES]
EXIT_CODE = re.compile(r"# exit code (\d+)$")
ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]


def page_name(page):
    return page.name


# Commands


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A folder with photos/, color-photos/ and film.mp4, isolated from the network, caches and site-packages."""
    street = tmp_path / "here" / "photos" / "street"
    street.mkdir(parents=True)
    gradient = Image.linear_gradient("L")
    gradient.resize((60, 80)).save(street.parent / "portrait.jpg")
    gradient.rotate(90).resize((80, 60)).save(street / "corner.png")
    color = tmp_path / "here" / "color-photos"
    color.mkdir()
    for number in range(3):
        bands = [gradient.rotate(90 * (number + band)) for band in range(3)]
        Image.merge("RGB", bands).save(color / f"{number}.png")
    make_clip(street.parents[1] / "film.mp4", audio="aac")
    monkeypatch.chdir(street.parents[1])
    packages = str(tmp_path / "packages")
    (tmp_path / "packages").mkdir()
    customize = f"import site\nsite.addsitedir({packages!r})\n"  # for `pip install -e .`
    (tmp_path / "packages" / "sitecustomize.py").write_text(customize)
    settings = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "120",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        # `pip install .` installs into a folder of this test, offline
        "PIP_TARGET": packages,
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which, oddly, turns isolation off
        "PIP_QUIET": "1",
        "PYTHONPATH": packages,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", settings["HF_HUB_CACHE"])
    return street.parents[1]


def run(line, capfd):
    """Run a shell line; a plain `colorcli` command runs in this process, because importing torch takes seconds."""
    words = shlex.split(line, comments=True)
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(Path.cwd()):
            del sys.modules[name]  # as a new process would, read it again
    if words[0] == "colorcli" and not set(words) & {"|", "<", ">", "&&", ";"} and "<(" not in line:
        code = main(words[1:])
    else:
        code = subprocess.run(["bash", "-c", line], check=False).returncode
        site.addsitedir(os.environ["PIP_TARGET"])
    captured = capfd.readouterr()
    return code, captured.err + captured.out


def resembles(output, expected):
    """Whether the output matches, where `...` stands for any text."""
    pattern = ".*".join(map(re.escape, expected.strip().split("...")))
    return re.fullmatch(pattern, output.strip(), flags=re.DOTALL)


@pytest.mark.parametrize("page", [page for page in EVERY_PAGE if blocks(page, "sh")], ids=page_name)
def test_every_command_of_the_page_does_what_the_page_says(page, prepared, capfd):
    """In order, in one folder, with the files that the page shows; `# exit code N` states the expected exit code."""
    output = ""
    for block in blocks(page):
        if block.file and block.language == "python":
            file = prepared / block.file
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.file == "pyproject.toml":
            (prepared / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "text":
            assert resembles(output, block.text), f"{page.name}:{block.line} does not match\n{output}"
        elif block.language == "sh":
            for number, line in enumerate(block.text.splitlines(), block.line):
                if line.strip() and not line.startswith(("#", SETUP)):
                    code, output = run(line, capfd)
                    stated = EXIT_CODE.search(line)
                    assert code == (int(stated[1]) if stated else 0), f"{page.name}:{number}: {line}\n{output}"


@pytest.mark.parametrize("page", [page for page in EVERY_PAGE if ">>> " in read(page)], ids=page_name)
def test_every_python_example_prints_what_the_page_says(page, prepared):
    lines = [""] * read(page).count("\n")
    for block in blocks(page, "python"):
        if ">>> " in block.text:
            lines[block.line - 1 : block.line - 1 + block.text.count("\n")] = block.text.splitlines()
    test = doctest.DocTestParser().get_doctest("\n".join(lines), {}, page.name, str(page), 0)
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_python_block_is_valid(page):
    for block in blocks(page, "python"):
        if ">>> " not in block.text:
            ast.parse(block.text, f"{page.name}:{block.line}")


@pytest.mark.parametrize("page", EVERY_PAGE, ids=page_name)
def test_every_toml_block_is_valid(page):
    for block in blocks(page, "toml"):
        assert tomllib.loads(block.text), f"{page.name}:{block.line}"


def test_the_settings_on_the_page_are_accepted(tmp_path):
    for block in blocks(DOCS / "using.md", "toml"):
        (tmp_path / "colorcli.toml").write_text(block.text)
        assert read_settings(command_line, tmp_path / "colorcli.toml")


# README and CI


def setup_commands():
    return [line for line in read(README).splitlines() if line.startswith(SETUP)]


def test_the_readme_sets_up_in_two_commands():
    colorizes, passes_tests = setup_commands()
    assert "colorcli run" in colorizes
    assert "pytest" in passes_tests


STAND_IN = """#!/usr/bin/env bash
name=$(basename "$0")
echo "$(basename "$(dirname "$(dirname "$0")")")/$name $*" >> called
programs="pip colorcli python ruff mypy codespell mkdocs"
case "$name $*" in
    python3*) mkdir -p "${@: -1}/bin"; for each in $programs; do ln -sf "$0" "${@: -1}/bin/$each"; done;;
    colorcli*) cp -r docs/photographs docs/photographs-color; eval "${FAULT:-}";;
esac
"""
LINTERS = ["ruff check", "ruff format --check", "mypy", "codespell"]
SITE = "mkdocs build --strict --quiet -f docs/mkdocs.yml"
INSTALL_FLOOR = (
    "pip install -q -e .[heic,metrics,openvino,timm,train] pytest pytest-xdist scikit-image -c .ci/floor.txt"
)
FLOOR = [
    "colorcli run --model zhang --overwrite docs/photographs",
    "python -m pytest -q -n auto --dist loadfile tests/test_color.py tests/media/pictures "
    "tests/media/films/test_probe.py tests/media/films/test_reader.py tests/media/films/test_encoder.py "
    "tests/weights tests/publishing tests/inference tests/encoders tests/training/test_loop.py",
]


@pytest.fixture
def ci(tmp_path):
    """Run .ci/run in a folder where stand-ins replace every program; return the process and what was called."""
    (tmp_path / "bin").mkdir()
    for name in ("python3", "chromium", "apt-get"):
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    python3 = tmp_path / "bin" / "python3"
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci")
    photographs = checkout / "docs" / "photographs"
    photographs.mkdir(parents=True)
    (photographs / "a.jpg").touch()
    (checkout / "README.md").write_text(read(README))

    def run(fault=""):
        environment = {"PATH": f"{python3.parent}{os.pathsep}{os.environ['PATH']}", "FAULT": fault}
        done = subprocess.run([checkout / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
        called = (checkout / "called").read_text().splitlines() if (checkout / "called").exists() else []
        return done, [line.strip() for line in called]

    run.readme = checkout / "README.md"
    run.programs = tmp_path / "bin"
    return run


def test_ci_runs_the_commands_of_the_readme_then_the_linters_the_site_and_the_oldest_dependencies(ci):
    done, called = ci()
    assert done.returncode == 0, done.stderr
    first, second, _ = [line.removeprefix("+ ") for line in done.stdout.splitlines() if line.startswith("+ ")]
    assert [first, second] == setup_commands()
    commands = [[shlex.split(part) for part in command.split(" && ")] for command in setup_commands()]
    setup, development = (
        [" ".join([Path(program).name, *arguments]) for program, *arguments in parts] for parts in commands
    )
    called.remove(f".floor/{INSTALL_FLOOR}")  # meanwhile
    assert [line.partition("/")[2] for line in called] == [
        *(*setup, "python3 -m venv .floor", *development),
        *(*LINTERS, SITE, *FLOOR),
    ]
    assert {line.partition("/")[0] for line in called[: -len(FLOOR)] if "python3" not in line} == {".venv"}
    assert {line.partition("/")[0] for line in called[-len(FLOOR) :]} == {".floor"}
    assert all((ROOT / path).exists() for path in FLOOR[-1].split() if path.startswith("tests/"))


@pytest.mark.parametrize("exit_code", [0, 1])
def test_ci_installs_chromium_if_it_can_and_continues_without_it_otherwise(ci, monkeypatch, exit_code):
    for name in ("bash", "env", "dirname", "basename", "grep", "rm", "cp", "ln", "mkdir", "diff", "find", "sort"):
        (ci.programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", "")
    (ci.programs / "chromium").unlink()
    (ci.programs / "apt-get").write_text(f'#!/usr/bin/env bash\necho "apt-get $*" >> called\nexit {exit_code}\n')
    done, called = ci()
    assert done.returncode == 0, done.stderr
    assert ("apt-get install -y -q chromium" in called) == (exit_code == 0)
    assert ("Chromium not found" in done.stdout) == (exit_code == 1)
    assert ".venv/mypy" in called


def test_ci_fails_if_a_photograph_was_not_colorized(ci):
    done, called = ci(fault="rm docs/photographs-color/a.jpg")
    assert done.returncode != 0
    assert "docs/photographs-color" in done.stdout + done.stderr
    assert ".venv/mypy" not in called


def test_ci_fails_if_the_first_command_fails(ci):
    done, called = ci(fault="exit 1")
    assert done.returncode != 0
    assert called[-1].startswith(".venv/colorcli run")


def test_ci_fails_if_the_readme_has_another_number_of_commands(ci):
    ci.readme.write_text(read(README) + f"\n{SETUP} .venv\n")
    done, called = ci()
    assert done.returncode != 0
    assert "must have two setup commands, got 3" in done.stdout
    assert not called


def workflow(name):
    return read(GITHUB / "workflows" / f"{name}.yml")


def test_the_test_workflow_runs_the_commands_of_the_readme_on_every_system():
    run = [line.partition("run: ")[2] for line in workflow("test").splitlines() if f"run: {SETUP}" in line]
    windows = [command.replace("/bin/", "/Scripts/") for command in setup_commands()]
    assert run[:4] == [*setup_commands(), *windows]
    for system in ("ubuntu-latest", "macos-latest", "windows-latest"):
        assert system in workflow("test")


def test_the_test_workflow_starts_from_the_oldest_python_and_the_oldest_dependencies():
    (oldest,) = re.findall(r'dependencies: oldest\n +python: "([\d.]+)"\n +constraints: (\S+)', workflow("test"))
    assert oldest[0] == PROJECT["requires-python"].removeprefix(">=")
    assert (ROOT / oldest[1]).is_file()


def test_ci_and_the_documentation_workflow_build_the_same_site():
    assert f"run: .venv/bin/{SITE.replace(' --quiet', '')}" in workflow("docs")
    assert f".venv/bin/{SITE}" in read(ROOT / ".ci" / "run")


def test_pre_commit_runs_the_linters_of_ci():
    hooks = read(ROOT / ".pre-commit-config.yaml")
    assert [linter for linter in LINTERS if f"entry: .venv/bin/{linter.removesuffix(' --check')}" not in hooks] == []


def test_the_newest_changes_are_those_of_this_version():
    version, date = re.search(r"^## (\S+) \((.+)\)$", read(DOCS / "changelog.md"), flags=re.MULTILINE).groups()
    assert version == PROJECT["version"]
    assert date == "unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", date)


def test_no_other_file_states_the_version():
    """`colorcli.__version__` and `--version` read it from the installed distribution."""
    version = re.escape(PROJECT["version"])
    sources = [path for folder in ("colorcli", "plugins") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if re.search(rf"['\"]{version}['\"]", read(path))] == []


# Completeness


def test_every_error_is_listed_with_its_exit_code():
    rows = re.findall(r"^\| ([· ]*)`(\w+)` \| (\d) \|", read(DOCS / "errors.md"), flags=re.MULTILINE)
    depths = {error.__name__: len(error.__mro__) - len(Exception.__mro__) - 1 for error in ERRORS}
    listed = {name: (dots.count("·"), int(code)) for dots, name, code in rows}
    assert listed == {error.__name__: (depths[error.__name__], error.exit_code) for error in ERRORS}


@pytest.mark.parametrize("error", [e for e in ERRORS if e is not errors.ColorcliError], ids=lambda e: e.__name__)
def test_every_error_has_a_section(error):
    assert error.__name__ in headings(DOCS / "errors.md")


def test_every_field_of_a_manifest_is_documented():
    assert first_cells(DOCS / "weights.md", "field") == {field.name for field in fields(Weights)}


def test_every_key_of_training_is_documented():
    assert first_cells(DOCS / "recipes.md", "`[training]`") == set(TrainingSettings.__struct_fields__)


def test_every_recipe_is_documented():
    for colorizer in built_in():
        if colorizer.recipe_folder:
            recipes = {path.stem for path in colorizer.recipe_folder.glob("*.toml")}
            assert recipes <= set(re.findall(r"^\| `([\w-]+)` \|", read(DOCS / "recipes.md"), flags=re.MULTILINE))


def test_every_public_name_is_mentioned():
    text = "".join(map(read, PAGES))
    for name in colorcli.__all__:
        assert re.search(rf"\b{name}\b", text), f"colorcli.{name} is not in the documentation"


def test_every_public_name_is_in_the_reference():
    described = set(re.findall(r"^::: ([\w.]+)$", read(DOCS / "reference.md"), flags=re.MULTILINE))
    for name in colorcli.__all__:
        value = getattr(colorcli, name)
        module = "colorcli.plugin.spec" if name in {"API_VERSION", "hookimpl"} else value.__module__
        assert {module, f"{module}.{name}"} & described, f"colorcli.{name} is not in docs/reference.md"


def commands(command, *words):
    """A command and all its subcommands, each with the words that call it."""
    yield list(words), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *words, name)


@pytest.mark.parametrize("words", [words for words, _ in commands(command_line)], ids=" ".join)
def test_every_command_is_mentioned(words):
    assert any(" ".join(["colorcli", *words]) in read(page) for page in PAGES)


@pytest.mark.parametrize(("words", "command"), list(commands(command_line)))
def test_every_option_is_in_the_help_and_in_the_documentation(words, command, capsys):
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    text = "".join(map(read, PAGES))
    for option in command.params:
        if option.param_type_name == "option":
            assert option.help, f"{command.name} {option.opts} has no help"
            long = next(name for name in option.opts if name.startswith("--"))
            assert long in shown
            documented = [name for name in option.opts if re.search(rf"(?<![\w-]){name}(?![\w-])", text)]
            assert documented or long == "--version", f"{command.name} {long} is not in the documentation"


def built_in():
    registry = Registry()
    names = [name for plugin in registry.plugins() if plugin.distribution == "colorcli" for name in plugin.colorizers]
    return [registry.get(name) for name in names]


def test_every_colorizer_and_every_tag_has_a_section_in_models():
    sections = " ".join(heading.replace("`", "") for heading in headings(DOCS / "models.md")).split()
    for colorizer in built_in():
        assert colorizer.name in sections
        for tag in colorizer.weights:
            assert f"{colorizer.name}.{tag}" in sections


# Links


def anchors(page):
    """The anchors of a page's headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


@pytest.mark.parametrize(
    "page", [*EVERY_PAGE, *DOCS.glob("*/*.md"), *GITHUB.glob("*.md")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_link_resolves(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        file, _, anchor = unquote(link).partition("#")
        target = page.parent / file if file else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def test_every_page_is_linked_from_another():
    linked = {name for page in EVERY_PAGE for name in re.findall(r"\((?:docs/)?([\w-]+\.md)[#)]", prose(page))}
    assert {page.name for page in PAGES} - linked == {"index.md"}, "the first page of the site"


def test_the_architecture_names_every_module_of_the_host():
    tree = blocks(DOCS / "architecture.md")[0].text
    named = set(re.findall(r"^  ([\w.]+)", tree.partition("plugins/ ")[0], flags=re.MULTILINE))
    host = [path for path in (ROOT / "colorcli").iterdir() if not path.name.startswith("_")]
    modules = {path.name for path in host if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == modules
