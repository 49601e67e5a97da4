"""GIF out. Not Pillow, which holds all frames in memory and writes no XMP."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import GifImagePlugin, Image

from colorcli.media.pictures.encoder_input import EncodeRequest, eight_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_DURATION = 655_350  # milliseconds that a frame is shown


def write_gif(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a GIF frame by frame, each with a palette of its own."""
    kept = request.kept
    for index, (pixels, alpha, seconds, _) in enumerate(request.frames):
        height, width = pixels.shape[:2]
        if index == 0:
            stream.write(b"GIF89a" + struct.pack("<HH3B", width, height, 0x70, 0, 0))
            if request.count > 1 and kept.loop is not None:
                stream.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", min(kept.loop, 65535)) + b"\0")
            # The packet is not cut into sub-blocks: the ramp of bytes after it leads any reader to the end.
            stream.write(b"\x21\xff\x0bXMP DataXMP" + kept.xmp + b"\1" + bytes(range(255, -1, -1)) + b"\0")
            for comment in kept.comments:
                parts = (comment[at : at + 255] for at in range(0, len(comment), 255))
                stream.write(b"\x21\xfe" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0")
        image, transparent = _palette_image(pixels, alpha)
        duration = round(seconds * 1000)
        if duration > _MAX_DURATION:
            request.lost.append(f"a frame's duration of {seconds:.0f} s (a GIF allows {_MAX_DURATION // 1000})")
        blocks = GifImagePlugin.getdata(
            image,
            duration=min(duration, _MAX_DURATION),
            include_color_table=True,
            disposal=2 if transparent else 1,
            transparency=255 if transparent else None,
        )
        stream.writelines(blocks)
    stream.write(b";")


def _palette_image(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> tuple[Image.Image, bool]:
    """Reduce a frame to 256 colors, or to 255 and a transparent one."""
    image = Image.fromarray(eight_bits(pixels))
    if alpha is None:
        return _quantized(image, 256), False
    quantized = _quantized(image, 255)
    hidden = eight_bits(alpha) < 128
    quantized.paste(255, mask=Image.fromarray(hidden))
    return quantized, True


def _quantized(image: Image.Image, colors: int) -> Image.Image:
    palette = image.quantize(colors, method=Image.Quantize.MEDIANCUT)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
