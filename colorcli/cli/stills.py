"""`colorcli film`: single frames of films, to look at and to correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorcli.cli.film import frame_at_time
from colorcli.files import replacing, shown

if TYPE_CHECKING:
    from fractions import Fraction


# The writers of imageio that keep 16 bits where the format can
_WRITERS: dict[str, dict[str, Any]] = {
    ".png": {"plugin": "opencv"},
    ".tif": {"plugin": "tifffile"},
    ".jpg": {"plugin": "pillow", "quality": 95, "subsampling": 0},
}


@click.group()
def film() -> None:
    """Work with single frames of films."""


@film.command()
@click.argument("at", metavar="FILM@TIME", type=frame_at_time)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture to write: .png, .tif or .jpg. [default: FILM-TIME.png]",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing picture.")
def frame(at: tuple[Path, Fraction], output: Path | None, overwrite: bool) -> None:
    """Save the frame that a film shows at a time, such as film.mp4@1:30, as a picture.

    Correct its colors in any editor, and give it to `colorcli run --reference`.
    """
    import imageio.v3 as iio

    from colorcli.errors import UnwritableMedia, UsageError
    from colorcli.media.films.original import read_still
    from colorcli.media.films.probe import probe

    path, time = at
    target = output or path.with_name(f"{path.stem}-{float(time):g}.png")
    suffix = {".tiff": ".tif", ".jpeg": ".jpg"}.get(target.suffix.lower(), target.suffix.lower())
    if suffix not in _WRITERS:
        raise UsageError(
            f"{shown(target)}: the name of the picture must end in .png, .tif or .jpg.", "Change the name after -o."
        )
    if target.exists() and not overwrite:
        raise UnwritableMedia(
            f"{shown(target)} already exists.", "Replace it with --overwrite, or write elsewhere with -o."
        )
    pixels = read_still(probe(path), time)
    if suffix == ".jpg" and pixels.itemsize > 1:
        pixels = pixels // 257
    with replacing(target, overwrite=overwrite) as temporary:
        depth = "uint8" if suffix == ".jpg" else pixels.dtype
        still: bytes = iio.imwrite("<bytes>", pixels.astype(depth), extension=suffix, **_WRITERS[suffix])
        temporary.write_bytes(still)
    click.echo(shown(target))
