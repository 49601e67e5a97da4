"""Colored frames as files that carry everything that the input carried, and say where the colors came from."""

from __future__ import annotations

import itertools
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorcli.errors import UnwritableMedia
from colorcli.files import disk_errors, keep_newer, replacing, shown
from colorcli.media import formats
from colorcli.media.pictures import encode, encoder_input, exif, xmp
from colorcli.media.pictures.encoder_input import EncoderFrame
from colorcli.media.pictures.files import listed
from colorcli.media.pictures.provenance import sidecar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from colorcli.media.formats import Format
    from colorcli.media.pictures.files import Frame, Picture
    from colorcli.media.pictures.metadata import Provenance

_DURATIONS, _DESCRIPTIONS = "how long frames are shown", "descriptions of pages"


def write_picture(
    target: Path | BinaryIO,
    frames: Iterable[Frame],
    like: Picture,
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    provenance: Provenance,
    overwrite: bool = True,
) -> list[str]:
    """Write color frames as a file that carries what `like` carried and says where the colors came from.

    A file appears complete or not at all. For a format without XMP, the provenance is written to `NAME.xmp` beside it,
    which keeps its other properties if another program wrote it.

    Args:
        target: a file, whose folder is created if necessary, or a stream.
        frames: color (H, W, 3) with alpha (H, W) or None, uint8 or uint16, as many as `like` has.
        like: the picture that the frames were made from.
        format: a name or suffix; None for the format of `like` if the target has its suffix, else that of the suffix.
        provenance: what made the colors.
        overwrite: replace a target that exists at the end.

    Returns:
        What the output could not keep, in words.

    Raises:
        UnwritableMedia: the format is unknown or cannot hold the frames, the disk refuses, or an existing `NAME.xmp`
            is not XMP.
    """
    kind = _target_format(target, like, format)
    if like.count > 1 and not kind.holds_many:
        raise UnwritableMedia(
            f"{like.name}: it has {like.count} frames or pages, but a {kind.name} file can have only one.",
            "Choose a format that can have several: --format tiff, png, webp or gif.",
        )
    if not isinstance(target, Path):
        whole = BytesIO()
        lost = _encode(whole, frames, like, kind, provenance)
        target.write(whole.getbuffer())
        return lost
    beside = b"" if kind.holds_xmp else _stamped_sidecar(sidecar(target), like, provenance)
    with replacing(target, overwrite=overwrite) as temporary, temporary.open("x+b") as stream:
        lost = _encode(stream, frames, like, kind, provenance)
    if beside:
        with replacing(sidecar(target)) as temporary:
            temporary.write_bytes(beside)
    if like.path is not None:
        keep_newer(target, like.path)
    return lost


def _stamped_sidecar(path: Path, like: Picture, provenance: Provenance) -> bytes:
    """Return what a sidecar must contain: what another program wrote there, or else what the input carried.

    Raises:
        UnwritableMedia: the existing file is not XMP, or cannot be read.
    """
    with disk_errors(path):
        found = path.read_bytes() if path.exists() else b""
    if not found.strip() or xmp.provenance_in(found):
        return xmp.stamped_xmp(like.kept.xmp, provenance)
    if xmp.is_damaged(found):
        raise UnwritableMedia(
            f"{shown(path)}: colorcli did not write this file, and it is not XMP that can be kept.",
            "Move it, or choose another format or folder for the output.",
        )
    return xmp.stamped_xmp(found, provenance)


def _target_format(target: Path | BinaryIO, like: Picture, name: str | None) -> Format:
    if name is not None:
        kind = formats.named(name)
        if kind is None:
            known = ", ".join(formats.FORMATS)
            raise UnwritableMedia(f"{name!r} is not a picture format.", f"Choose from {known}.")
        return kind
    suffix = target.suffix.lower() if isinstance(target, Path) else ""
    if like.path is not None and like.path.suffix.lower() == suffix:  # a PNG that is called .jpg stays one
        return formats.FORMATS[like.format]
    return formats.BY_SUFFIX.get(suffix, formats.FORMATS[like.format])


def _encode(
    stream: BinaryIO, frames: Iterable[Frame], like: Picture, kind: Format, provenance: Provenance
) -> list[str]:
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise UnwritableMedia(f"{like.name}: it has no frames.")
    height, width = first.pixels.shape[:2]
    _check_sides(like, kind, width, height)
    kept, lost = encode.fitted(
        replace(
            like.kept,
            exif=exif.upright_exif(like.kept.exif, width, height) if like.kept.exif else b"",
            xmp=xmp.stamped_xmp(like.kept.xmp, provenance),
        ),
        kind,
    )
    if first.alpha is not None and not kind.holds_alpha:
        lost.append("transparency, which became white")
    if like.bits > kind.bits:
        lost.append(f"more than {kind.bits} bits per channel")

    def all_frames() -> Iterator[EncoderFrame]:  # which must not refer to the request: both would outlive the output
        pages = 0
        for frame in itertools.chain([first], iterator):
            if frame.pixels.shape[:2] != (height, width):
                if not kind.holds_sizes:
                    raise UnwritableMedia(
                        f"{like.name}: it has a page of {width} x {height} and one of {frame.pixels.shape[1]} x "
                        f"{frame.pixels.shape[0]} pixels, but those of a {kind.name} file must have the same size.",
                        "Choose --format tiff.",
                    )
                _check_sides(like, kind, *frame.pixels.shape[1::-1])
            if frame.seconds and "durations" not in kind.metadata and _DURATIONS not in lost:
                lost.append(_DURATIONS)
            pages += frame.page is not None and bool(frame.page.fields)
            if pages > 1 and kind.name != "TIFF" and _DESCRIPTIONS not in lost:
                lost.append(_DESCRIPTIONS)
            yield EncoderFrame(frame.pixels, frame.alpha, frame.seconds, frame.page)

    request = encoder_input.EncodeRequest(
        frames=all_frames(),
        count=like.count,
        kept=kept,
        provenance=provenance,
        quality=like.quality,
        lossless=like.lossless,
        bits=like.bits,
        total_pixels=like.total_pixels,
        lost=lost,
    )
    encode.WRITERS[kind.name](stream, request)
    return [f"the output does not keep {listed(lost)}"] if lost else []


def _check_sides(like: Picture, kind: Format, width: int, height: int) -> None:
    if max(width, height) > kind.longest_side:
        raise UnwritableMedia(
            f"{like.name}: {width} x {height} pixels do not fit in {kind.name}, whose sides have at most "
            f"{kind.longest_side:,}.",
            "Choose --format png or tiff.",
        )
