"""How models are described in protocols: the lines below tables, pages and surveys."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorcli.inference.pipeline import Pipeline


def describe(pipeline: Pipeline) -> str:
    """Describe a model and its settings in one line: network size, options, device, weights and their license."""
    model = pipeline.model
    weights = model.colorizer.weights.get(model.tag)
    facts = [
        f"network at {model.size}x{model.size}" if model.size else "network at the picture's own size",
        *(f"{name}={value}" for name, value in pipeline.options.items()),
        *([f"strength={pipeline.strength:g}"] if pipeline.strength != 1 else []),
        str(model.device),
        f"weights {model.fingerprint[:12]}",
        *([f"license {weights.license}"] if weights else []),
    ]
    return ", ".join(facts)


def made_by() -> str:
    """Name the versions of the packages that determine the colors."""
    return ", ".join(f"{package} {number}" for package, number in package_versions().items())


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of colorcli and torch, which determine the colors, and of other packages."""
    return {package: version(package) for package in ("colorcli", "torch", *packages)}
