"""What must survive beside the pixels, in a form that every format can be given."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Provenance:
    """What made the colors of an output.

    Attributes:
        model: the colorizer's name.
        tag: the tag of its weights, or the name of a weights file.
        version: the version of colorcli.
        settings: a digest of everything that decides the result.
    """

    model: str
    tag: str
    version: str
    settings: str


@dataclass(frozen=True)
class Metadata:
    r"""What a file carries beside pixels.

    Attributes:
        exif: a TIFF structure, as after `Exif\0\0` in a JPEG; empty for none.
        iptc: IPTC-IIM records; empty for none.
        xmp: an XMP packet; empty for none.
        profile: an ICC profile; empty for none.
        dpi: horizontal and vertical pixels per inch.
        text: the text chunks of a PNG, by keyword.
        comments: the comments of a JPEG or GIF, in the encoding that they came in.
        loop: how often an animation repeats, 0 for endlessly, None if it plays once and the file does not say so.
        lost: what the file carries and no output can, in words.
    """

    exif: bytes = b""
    iptc: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    comments: tuple[bytes, ...] = ()
    loop: int | None = None
    lost: tuple[str, ...] = ()
