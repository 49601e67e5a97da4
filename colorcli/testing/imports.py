"""What importing the module of a plugin takes, tried in a fresh Python."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

_SLOW = ("cv2", "jax", "matplotlib", "numpy", "pandas", "PIL", "scipy", "skimage", "tensorflow", "timm", "torch")
_PROGRAM = """
import contextlib, io, json, sys, time
sys.path[:] = {path!r}
import colorcli

def clock():
    "Seconds, without those in which other programs had the processor, where the system counts them."
    try:
        with open("/proc/self/schedstat") as file:
            waited = int(file.read().split()[1]) / 1e9
    except OSError:
        waited = 0.0
    return time.perf_counter() - waited

printed, began = io.StringIO(), clock()
with contextlib.redirect_stdout(printed):
    import {module}
slow = [name for name in {slow!r} if name in sys.modules]
print(json.dumps(dict(seconds=clock() - began, slow=slow, printed=printed.getvalue())))
"""


@dataclass(frozen=True)
class ImportReport:
    """What an import took.

    Attributes:
        module: the module that was imported.
        seconds: until it was imported, after colorcli; on Linux without those in which it waited for a processor.
        slow: modules that it imported and that take long.
        printed: what it wrote to standard output.
    """

    module: str
    seconds: float
    slow: list[str]
    printed: str


def import_afresh(module: str) -> ImportReport:
    """Import a module in a fresh Python.

    Raises:
        AssertionError: the import fails.
    """
    program = _PROGRAM.format(path=sys.path, module=module, slow=_SLOW)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, f"importing {module} fails in a fresh Python: {done.stderr.strip()}"
    return ImportReport(module, **json.loads(done.stdout.splitlines()[-1]))


@cache
def first_import(module: str) -> ImportReport:
    """Report the first import of a module in this process, which serves several promises."""
    return import_afresh(module)
