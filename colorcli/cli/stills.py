"""`colorcli film`: shots and single frames of films, to look at and to correct."""

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
    """Work with shots and single frames of films."""


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
    """Save a frame of a film as a picture.

    FILM@TIME is a film and the time at which it shows the frame, such as film.mp4@1:30. Correct its colors in any
    editor, and pass the picture to `colorcli run --reference`.
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


@film.command()
@click.argument("path", metavar="FILM", type=click.Path(path_type=Path))
@click.option(
    "--stills",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write. [default: FILM-stills]",
)
@click.option(
    "--edl",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the shots as an edit decision list (CMX 3600).",
)
@click.option("--overwrite", is_flag=True, help="Replace existing stills and lists.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def shots(path: Path, folder: Path | None, edl: Path | None, overwrite: bool, quiet: bool) -> None:
    """Find the shots of a film, and save a still of each.

    The shots are listed in shots.csv. A still is a 16-bit PNG of a sharp, typical frame, named by its time. Color the
    stills with this or another program, edit shots.csv if necessary, and pass both to `colorcli run FILM --references
    DIR --shots DIR/shots.csv`.
    """
    import imageio.v3 as iio

    from colorcli.cli.progress import Progress
    from colorcli.errors import UnwritableMedia
    from colorcli.files import disk_errors
    from colorcli.film.representatives import representatives
    from colorcli.film.shot_list import Shot, write_edl, write_shots
    from colorcli.film.stills import still_name
    from colorcli.media.films.original import read_stills
    from colorcli.media.films.probe import probe

    source = probe(path)
    folder = folder or path.with_name(f"{path.stem}-stills")
    table = folder / "shots.csv"
    for each in (table, edl):
        if each is not None and each.exists() and not overwrite:
            raise UnwritableMedia(f"{shown(each)} already exists.", "Replace it with --overwrite, or write elsewhere.")
    found = []
    with Progress("finding shots", None, unit="shots/s", quiet=quiet) as progress:
        for shot in representatives(source):
            found.append(shot)
            progress.advance()
    names = [still_name(each.time) for each in found]
    taken = [folder / name for name in names if (folder / name).exists()]
    if taken and not overwrite:
        raise UnwritableMedia(f"{shown(taken[0])} already exists.", "Replace it with --overwrite, or write elsewhere.")
    listed = [Shot(each.start, each.end, references=(name,)) for each, name in zip(found, names, strict=True)]
    with disk_errors(folder), Progress("saving stills", len(found), unit="stills/s", quiet=quiet) as progress:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in zip(names, read_stills(source, [each.number for each in found]), strict=True):
            with replacing(folder / name, overwrite=overwrite) as temporary:
                still: bytes = iio.imwrite("<bytes>", pixels, extension=".png", **_WRITERS[".png"])
                temporary.write_bytes(still)
            progress.advance()
        write_shots(table, listed)
        if edl is not None:
            write_edl(edl, listed, source.frame_rate, path.name)
    click.echo(shown(table))
