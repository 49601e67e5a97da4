"""Distributions that are not part of colorcli, installed as users would."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns


def install(distribution: Path, folder: Path) -> Path:
    """Build a distribution and install it into a folder of its own, without the network."""
    source = copytree(distribution, folder / "source", ignore=ignore_patterns("__pycache__", ".*"))  # traces are left
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "target"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True, capture_output=True)
    return folder / "target"


def python(installed: Path, *args, **keywords):
    """Run Python where that folder is one more of those that packages are installed in."""
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *args], env=environment, capture_output=True, text=True, check=False, **keywords
    )
