"""Importing a checkpoint from elsewhere: checked strictly, and written as safetensors with a header."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.colorizer import Weights
from colorcli.errors import LicenseNotAccepted, UsageError
from colorcli.weights import licenses
from colorcli.weights.files import describe, is_torch7_file, open_file, read_state, write_state
from colorcli.weights.manifest import format_table
from colorcli.weights.pins import recorded
from colorcli.weights.resolver import find_tag
from colorcli.weights.verification import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from colorcli.colorizer import Colorizer
    from colorcli.weights.files import Header


def import_file(
    source: Path,
    colorizer: Colorizer,
    tag: str | None = None,
    target: Path | None = None,
    *,
    accept_license: bool = False,
) -> Path:
    """Check a checkpoint against the network, strictly, and write it as safetensors, with a manifest table beside it.

    Args:
        source: a safetensors file, or one saved by PyTorch or Torch7, in the network's own layout or a published one.
        colorizer: the colorizer whose network it is for.
        tag: weights in the manifest that have the same network, whatever the file's header says; if None, the header
            decides, or the first tag.
        target: the file to write; beside the source, with the suffix .safetensors, if None.
        accept_license: accept the license of a file that the colorizer names in `elsewhere`, if it restricts use.

    Returns:
        The file written; the table is beside it, with the suffix .toml.

    Raises:
        UsageError: the tag does not exist, the target exists, or it cannot be written.
        WeightsNotFound: the source was not found.
        WeightsCorrupt: the source has no weights, would execute code, or does not fit the network.
        LicenseNotAccepted: the license restricts use, and is not accepted.
    """
    from safetensors import SafetensorError

    from colorcli.weights.fitting import build_network, check_fit

    if tag is not None:
        find_tag(colorizer, tag)
    elsewhere = next((weights for weights in colorizer.elsewhere if weights.file == source.name), None)
    if elsewhere and licenses.is_restricted(elsewhere.license) and not accept_license:
        raise LicenseNotAccepted(
            f"{source.name} is licensed under {elsewhere.license}, which restricts its use ({elsewhere.source}).",
            "To accept this, add --accept-license.",
        )
    state = _read(source)
    header = describe(source, state, colorizer, tag)
    check_fit(colorizer, state, header.network, source)
    network = build_network(colorizer, state, header.network, source)
    target = target or source.with_suffix(".safetensors")
    table = target.parent / f"{target.stem}.toml"
    for file in (target, table):
        if file.exists():
            raise UsageError(f"File already exists: {file}.", "Choose another file with -o.")
    digest = sha256_of(source)
    published = next((name for name, weights in colorizer.weights.items() if recorded(weights).sha256 == digest), "")
    header = replace(header, colorizer=colorizer.name, tag=header.tag or published or tag or "imported")
    try:
        write_state(target, network.state_dict(), header)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        origin = colorizer.weights.get(published) or elsewhere
        weights = _describe_target(source, target, parameters, header, origin)
        table.write_text(format_table(header.tag, weights), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise UsageError(f"Cannot write {target}: {error}.", "Choose another file with -o.") from None
    return target


def _read(source: Path) -> dict[str, Tensor]:
    if source.is_file() and is_torch7_file(source):
        return read_state(source, "torch7")
    return open_file(source)[0]


def _describe_target(
    source: Path, target: Path, parameters: int, header: Header, published: Weights | None
) -> Weights:
    """Describe the file written; license and origin are known if the source is a published file."""
    return Weights(
        file=target.name,
        sha256=sha256_of(target),
        size=target.stat().st_size,
        license=published.license if published else "NOASSERTION",
        source=published.source if published else source.name,
        trained_on=published.trained_on if published else "unknown",
        parameters=parameters,
        input_size=header.input_size,
        network=header.network,
        options=header.options,
    )
