"""Writes a finished film as numbered pictures (PNG, TIFF, DPX, EXR), whose luma is that of the film."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import cv2
import ffmpeg
import numpy as np
import torch

from colorcli.color import yuv_to_rgb
from colorcli.errors import UsageError
from colorcli.files import disk_errors, temporary_folder, unwritable
from colorcli.film.chroma import Coding
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, opened, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.media.films.film import Film

    Planes = NDArray[np.float32]

_ENCODERS = {
    ".png": ("png", "rgb48be"),
    ".tif": ("tiff", "rgb48le"),
    ".tiff": ("tiff", "rgb48le"),
    ".dpx": ("dpx", "rgb48be"),
    ".exr": ("exr", "gbrpf32le"),
}


def export(film: Film, pattern: Path, first: int) -> None:
    """Write the frames of a film as pictures of 16 bits, or of linear light in EXR, upright and not mirrored.

    They appear all at once, when the last one is written.

    Args:
        film: the probed film; its video is YUV.
        pattern: their path, with `%06d` or the like for the number.
        first: the number of the first one.

    Raises:
        UsageError: pictures of that suffix cannot be written.
        UnwritableMedia: the disk is full or not writable.
    """
    suffix = pattern.suffix.lower()
    if suffix not in _ENCODERS:
        raise UsageError(f"Sequences cannot be written as {suffix}.", f"Choose from {', '.join(_ENCODERS)}.")
    codec, pixel_format = _ENCODERS[suffix]
    linear = suffix == ".exr"
    height, width = (film.width, film.height) if film.rotation % 180 else (film.height, film.width)
    source = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pix_fmt="gbrpf32le" if linear else "rgb48le",
        s=f"{width}x{height}",
        r=str(film.frame_rate),
    )
    with temporary_folder(pattern) as folder:
        output = source.output(
            url(folder / pattern.name), format="image2", vcodec=codec, pix_fmt=pixel_format, start_number=first
        )
        try:
            with FfmpegProcess(command(output), writes=True) as process:
                with contextlib.suppress(BrokenPipeError):
                    for rgb in _frames(film):
                        process.stdin.write(_linear(rgb) if linear else np.rint(rgb * 65535).astype("<u2").tobytes())
                process.finish()
        except FfmpegFailed as error:
            raise unwritable(pattern, str(error)) from error
        with disk_errors(pattern):
            for each in sorted(folder.iterdir()):
                each.replace(pattern.parent / each.name)


def _frames(film: Film) -> Iterator[Planes]:
    """Yield each frame as displayed: (H, W, 3) R'G'B' in 0..1."""
    with opened(film.path) as container:
        for frame in container.decode(container.streams[film.index]):
            rgb = _rgb([_plane(frame, index) for index in range(3)], Coding.of(film))
            rgb = np.rot90(rgb, -film.rotation // 90)
            yield np.ascontiguousarray(rgb[:, ::-1] if film.mirrored else rgb)


def _plane(frame: Any, index: int) -> NDArray[Any]:
    data = frame.planes[index]
    kind = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else "<u2")
    rows = np.frombuffer(data, np.uint8).reshape(-1, data.line_size)[: data.height, : data.width * kind.itemsize]
    return np.ascontiguousarray(rows).view(kind)


def _rgb(planes: list[NDArray[Any]], coding: Coding) -> Planes:
    """Convert Y, U and V to (H, W, 3) R'G'B' in 0..1 of exactly that luma: colors out of gamut become paler."""
    y = ((planes[0].astype(np.float32) - coding.black) / coding.luma_codes).clip(0, 1)
    size = y.shape[1], y.shape[0]
    middle = 1 << (coding.depth - 1)
    u, v = (
        cv2.resize((each.astype(np.float32) - middle) / coding.chroma_codes, size, interpolation=cv2.INTER_LINEAR)
        for each in planes[1:]
    )
    rgb = yuv_to_rgb(torch.from_numpy(np.stack((y, u, v))), coding.matrix).permute(1, 2, 0).numpy()
    apart = rgb - y[..., None]  # difference from gray of the same luma
    room = np.where(apart > 0, 1 - y[..., None], y[..., None])
    kept = np.minimum(1, (room / np.maximum(np.abs(apart), np.float32(1e-6))).min(axis=-1))
    fitted: Planes = (y[..., None] + kept[..., None] * apart).clip(0, 1)
    return fitted


def _linear(rgb: Planes) -> bytes:
    """Return linear light, as EXR holds it, in planes of green, blue and red."""
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4).astype("<f4")
    return np.ascontiguousarray(light[..., [1, 2, 0]].transpose(2, 0, 1)).tobytes()
