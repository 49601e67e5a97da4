"""GIF out, frame by frame."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import GifImagePlugin, Image

from colorcli.media.pictures.encoder_input import Order, eight_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_gif(stream: BinaryIO, order: Order) -> None:
    """Write a GIF frame by frame, each with a palette of its own."""
    for index, (pixels, alpha, seconds) in enumerate(order.frames):
        height, width = pixels.shape[:2]
        if index == 0:
            stream.write(b"GIF89a" + struct.pack("<HH3B", width, height, 0x70, 0, 0))
            if order.count > 1 and order.kept.loop is not None:
                stream.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", order.kept.loop) + b"\0")
            # The packet is not cut into sub-blocks: the ramp of bytes after it leads any reader to the end.
            stream.write(b"\x21\xff\x0bXMP DataXMP" + order.kept.xmp + b"\1" + bytes(range(255, -1, -1)) + b"\0")
            for part in (order.kept.comment[at : at + 255] for at in range(0, len(order.kept.comment), 255)):
                stream.write(b"\x21\xfe" + bytes([len(part)]) + part + b"\0")
        image, transparent = _gif_palette(pixels, alpha)
        blocks = GifImagePlugin.getdata(
            image,
            duration=round(seconds * 1000),
            include_color_table=True,
            disposal=2 if transparent else 1,
            transparency=255 if transparent else None,
        )
        stream.writelines(blocks)
    stream.write(b";")


def _gif_palette(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> tuple[Image.Image, bool]:
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
