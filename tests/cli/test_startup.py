"""Twenty plugins cost nothing until one of them is requested. The imports are checked, not the time."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from colorcli.cli import colorcli
from tests.site_packages import SitePackages, working
from tests.tiny import write_tiny_weights

PLUGINS = {f"plugin_{number:02}" for number in range(20)}
COMMANDS = [
    [],
    *([name] for name in colorcli.commands),
    *([name, each] for name, group in colorcli.commands.items() for each in getattr(group, "commands", ())),
]
BUILT_IN = {"colorcli_iizuka", "colorcli_koalarization", "colorcli_pix2pix", "colorcli_siggraph17", "colorcli_zhang"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Twenty plugins, each with an entry point of its own; the last has another name than its colorizer."""
    site = SitePackages(tmp_path_factory.mktemp("site"))
    for name in sorted(PLUGINS):
        site.add(name, working(name.replace("_", "-")), name.replace("_", "-") if name != "plugin_19" else "last")
    return site.folder


@pytest.fixture
def imported(site, tmp_path):
    """Run a program in a separate process; return which modules of plugins it imported."""

    def run(program):
        report = f"print(*({PLUGINS | BUILT_IN!r} & set(sys.modules)), file=sys.stderr)"
        environment = {**os.environ, "PYTHONPATH": str(site)}
        environment.pop("COLORCLI_PLUGINS", None)
        command = [sys.executable, "-c", f"import sys\n{program}\n{report}"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return set(done.stderr.splitlines()[-1].split())

    return run


def command_line(*args):
    return f"from colorcli.cli import main\nassert main({list(args)!r}) == 0"


def getting(name):
    return f"from colorcli.plugin.registry import Registry\nassert Registry().get({name!r}).name == {name!r}"


def test_help_loads_no_plugin(imported):
    program = f"""
from colorcli.cli import main
for command in {COMMANDS!r}:
    assert main([*command, "--help"]) == 0
    assert not { {"torch", *PLUGINS, *BUILT_IN}!r} & set(sys.modules), command
"""
    assert imported(program) == set()


def test_running_a_built_in_colorizer_loads_its_plugin_alone(imported, tmp_path):
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.png")
    write_tiny_weights(tmp_path / "tiny.safetensors")
    command = ["run", "--model", "zhang", "--weights", "tiny.safetensors", "photo.png"]
    program = f"""
import torch
bare = set(sys.modules)
{command_line(*command)}
assert {{"sympy", "torch._dynamo"}} & set(sys.modules) <= bare, "a compiler of torch was imported"
"""
    assert imported(program) == {"colorcli_zhang"}


def test_asking_for_an_installed_colorizer_loads_its_plugin_alone(imported):
    assert imported(getting("plugin-07")) == {"plugin_07"}


def test_a_plugin_with_another_name_than_its_colorizer_is_found(imported):
    assert "plugin_19" in imported(getting("plugin-19"))


def test_listing_plugins_loads_all_of_them(imported):
    """This shows that the tests above can fail."""
    listing = "from colorcli.cli import main\nassert main(['plugins']) == 1  # one has another name than its colorizer"
    assert imported(listing) == PLUGINS | BUILT_IN
