"""Chooses what decodes a film: a video decoder of the graphics card, if it returns the same frames, or the CPU."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, run
from colorcli.media.films.reader import decoded

if TYPE_CHECKING:
    from colorcli.media.films.film import Film

HardwareDecoding = Literal["auto", "off"]

_FRAMES_ON_CARD = {"cuda": "cuda", "vaapi": "vaapi", "videotoolbox": "videotoolbox_vld", "d3d11va": "d3d11"}
"""ffmpeg's hardware decoders, in the order in which they are tried, and the pixel format of frames that stay there."""

_EXACT_CODECS = {"h264", "hevc", "vp8", "vp9"}
"""Codecs that define each decoded pixel, and whose decoders in ffmpeg work with and without a card."""

_DOWNLOADED = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""What frames are downloaded as, by the pixel format in which the CPU decodes them."""

_FRAMES = 24  # more than one group of pictures that refer to each other
_SECONDS = 30  # the longest that a driver may take


def choose_decoder(film: Film, wanted: HardwareDecoding) -> Film:
    """Return the film with the device that decodes it.

    Each device is tried on the first frames, which must be those of the CPU to the bit; the CPU is what remains.

    Args:
        film: the probed film.
        wanted: "auto" to try the devices, "off" for the CPU.

    Raises:
        FfmpegMissing: ffmpeg is not available.
    """
    if wanted == "off":
        return film
    reason = _unsuitable(film)
    if reason:
        return replace(film, hardware_refused=reason)
    devices = [each for each in _FRAMES_ON_CARD if each in _built_in()]
    refused = []
    truth: list[str] = []
    for device in devices:
        try:
            found = _first_frames(film, device)
            truth = truth or _first_frames(film)
        except FfmpegFailed as error:
            refused.append(f"{device}: {error}")
            continue
        if found and found == truth:
            return replace(film, hardware=device)
        refused.append(f"{device}: its frames differ from those of the CPU")
    return replace(film, hardware_refused="; ".join(refused) or "this ffmpeg supports no hardware decoder")


def describe_decoder(film: Film) -> str:
    """Describe in one line what decodes a film, and why not a card."""
    if film.hardware:
        return f"Decoding {film.name} with {film.hardware}; frames are downloaded to memory."
    return f"Decoding {film.name} on the CPU ({film.hardware_refused})."


def _unsuitable(film: Film) -> str:
    """Return why the frames of a film cannot come from a card; empty if they can."""
    codec = next((each.codec for each in film.streams if each.index == film.index), "")
    if film.sequence is not None or codec not in _EXACT_CODECS:
        return f"{codec or 'its codec'} is decoded there only"
    if film.decoder or film.alpha or film.pixel_format not in _DOWNLOADED:
        return f"{film.pixel_format} is decoded there only"
    return "its timestamps may jump" if film.jumps else ""


@cache
def _built_in() -> frozenset[str]:
    """Return the hardware decoders that the ffmpeg in use was built with, whether there is a card or not."""
    _, *names = run(["-hide_banner", "-hwaccels"]).decode(errors="replace").split("\n")
    return frozenset(name.strip() for name in names if name.strip())


def _first_frames(film: Film, device: str = "") -> list[str]:
    """Return checksums of the first frames, as the CPU decodes them or a device.

    The device has to keep frames in its own memory, so that ffmpeg fails instead of decoding on the CPU.

    Raises:
        FfmpegFailed: the device cannot be opened, cannot decode the film, complains, or takes too long.
    """
    steps = f"format={film.pixel_format}"
    options = {}
    if device:
        options = {"hwaccel": device, "hwaccel_output_format": _FRAMES_ON_CARD[device]}
        steps = f"hwdownload,format={_DOWNLOADED[film.pixel_format]},{steps}"
    output = decoded(film, options=options)[str(film.index)].output(
        "pipe:1", format="framemd5", vf=steps, fps_mode="passthrough", **{"frames:v": _FRAMES}
    )
    with FfmpegProcess(command(output), reads=True) as process:
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        try:
            lines = process.stdout.read().decode().splitlines()
            complaints = process.finish()
        finally:
            timer.cancel()
    if device and complaints:
        raise FfmpegFailed(complaints[-1])
    return [each.rpartition(",")[2].strip() for each in lines if not each.startswith("#")]
