"""A folder of installed distributions, for tests that need plugins of every kind."""

from pathlib import Path
from textwrap import dedent

WORKING = """
    from colorcli import Colorizer, hookimpl

    class Plain(Colorizer):
        name = "{name}"
        summary = "Stays gray."
        def build(self):
            raise NotImplementedError
        def predict(self, network, lightness, **options):
            raise NotImplementedError

    @hookimpl
    def register_colorizers(register):
        register(Plain())
"""


def working(name: str) -> str:
    """The source of a plugin that registers one colorizer."""
    return WORKING.replace("{name}", name)


class SitePackages:
    """Put `folder` on the path of Python, and what was added to it is installed."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def add(self, distribution: str, source: str, entry_point: str, version: str = "1.0") -> None:
        """Install a distribution of one module with one entry point; the module is named after the distribution."""
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(dedent(source))
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[colorcli]\n{entry_point} = {module}\n")
