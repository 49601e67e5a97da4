"""`colorcli train`: one loop for every colorizer; what is learned and how is each one's recipe."""

from importlib.util import find_spec

from colorcli.errors import UsageError


def require_extra() -> None:
    """Check that what training needs beyond colorizing is installed.

    Raises:
        UsageError: it is not; the hint has the command that installs it.
    """
    if missing := [name for name in ("lightning_fabric", "matplotlib") if find_spec(name) is None]:
        raise UsageError(
            f"Training needs {' and '.join(missing)}, not installed.", 'Install it with: pip install "colorcli[train]"'
        )
