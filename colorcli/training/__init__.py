"""Training: recipe files, data, the loop, and runs on disk. Only `colorcli.training.optimization` is public."""

from importlib.util import find_spec

from colorcli.errors import UsageError


def require_extra() -> None:
    """Check that the packages of the extra `train` are installed.

    Raises:
        UsageError: some are missing; the hint is the command that installs them.
    """
    if missing := [name for name in ("lightning_fabric", "matplotlib") if find_spec(name) is None]:
        raise UsageError(
            f"Training needs {' and '.join(missing)}, which must be installed.",
            'Install it: pip install "colorcli[train]"',
        )
