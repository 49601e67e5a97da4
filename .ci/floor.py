"""Write floor.txt: every dependency at the oldest version that pyproject.toml allows, as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent


def floor() -> str:
    """Return the constraints, a line each, in alphabetical order."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = chain(project["dependencies"], *project["optional-dependencies"].values())
    found = (re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)$", requirement) for requirement in requirements)
    return "".join(sorted(f"{match[1]}=={match[2]}\n" for match in found if match))


if __name__ == "__main__":
    (HERE / "floor.txt").write_text(floor(), encoding="utf-8")
