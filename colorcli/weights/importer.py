"""A checkpoint from anywhere in, weights that explain themselves out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.colorizer import Weights
from colorcli.errors import UsageError
from colorcli.weights.files import describe, open_file, write_state
from colorcli.weights.manifest import format_table
from colorcli.weights.resolver import tagged
from colorcli.weights.verification import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.weights.files import Header


def import_file(source: Path, colorizer: Colorizer, tag: str | None = None, target: Path | None = None) -> Path:
    """Check a checkpoint against the network, strictly, and write it as safetensors with a manifest table beside it.

    Args:
        source: safetensors, or what PyTorch saves, in the network's own layout or a published one.
        colorizer: whose network it is for.
        tag: of the weights in the manifest that have the same network, whatever the file says; None = what it says,
            or the first.
        target: the file to write; None = beside the source, with the suffix .safetensors.

    Returns:
        The file written; the table is beside it, with the suffix .toml.

    Raises:
        UsageError: there is no such tag, there is a file already, or it cannot be written.
        WeightsNotFound: there is no such file.
        WeightsCorrupt: it holds no weights, would run code, or does not fit the network.
    """
    from safetensors import SafetensorError

    from colorcli.weights.fitting import fitted

    if tag is not None:
        tagged(colorizer, tag)
    state, _ = open_file(source)
    header = describe(source, state, colorizer, tag)
    network = fitted(colorizer, state, header.network, source)
    target = target or source.with_suffix(".safetensors")
    table = target.parent / f"{target.stem}.toml"
    for file in (target, table):
        if file.exists():
            raise UsageError(f"{file} is there already.", "Choose another file with -o.")
    digest = sha256_of(source)
    known = next((name for name, weights in colorizer.weights.items() if weights.sha256 == digest), "")
    header = replace(header, colorizer=colorizer.name, tag=header.tag or known or tag or "imported")
    try:
        write_state(target, network.state_dict(), header)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        weights = _weights(source, target, parameters, header, colorizer.weights.get(known))
        table.write_text(format_table(header.tag, weights), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{target} cannot be written: {error}.", "Choose another file with -o.") from None
    return target


def _weights(source: Path, target: Path, parameters: int, header: Header, known: Weights | None) -> Weights:
    """Describe the file; where the source is a published one, its license and origin are known."""
    return Weights(
        file=target.name,
        sha256=sha256_of(target),
        size=target.stat().st_size,
        license=known.license if known else "NOASSERTION",
        source=known.source if known else source.name,
        trained_on=known.trained_on if known else "unknown",
        parameters=parameters,
        input_size=header.input_size,
        network=header.network,
        options=header.options,
    )
