"""What requests ask for: previews and files in color, made as `colorcli run` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import simplejpeg

from colorcli.errors import UsageError
from colorcli.hints.hint import WrittenHint
from colorcli.inference.batch import color_pages
from colorcli.inference.hinted import HintedPipeline
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.uncertainty import SamplingPipeline
from colorcli.media import formats
from colorcli.media.pictures.images import to_image
from colorcli.media.pictures.tone import is_in_color
from colorcli.media.pictures.write import write_picture
from colorcli.serve.album import reduced
from colorcli.serve.settings import ColoringSettings
from colorcli.serve.suggestions import suggest

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli.hints.hint import Hint
    from colorcli.media.formats import Format
    from colorcli.media.pictures.files import Frame
    from colorcli.serve.album import OpenPicture
    from colorcli.serve.models import ModelCache
    from colorcli.serve.settings import ModelSettings, PlaceSettings

MEDIA_TYPES = {name: f"image/{name.lower()}" for name in formats.FORMATS}
_PREVIEW_QUALITY = 90


@dataclass(frozen=True)
class ColoredFile:
    """A file for the client.

    Attributes:
        name: file name for a download.
        media_type: media type of the content.
        content: its bytes.
        remarks: sentences without their final period, such as what the file could not keep.
    """

    name: str
    media_type: str
    content: bytes
    remarks: tuple[str, ...] = ()


class PictureColorizer:
    """Colors pictures with the models of a cache.

    Args:
        models: cache of the models.
    """

    def __init__(self, models: ModelCache) -> None:
        self.models = models

    def pipeline(self, settings: ModelSettings) -> Pipeline:
        """Make the pipeline that `colorcli run` would make.

        Raises:
            UsageError: an option does not exist or has a wrong value.
            ColorizerNotFound: no plugin provides the model.
            WeightsError: its weights are not available, or do not fit.
        """
        model = self.models.get(settings.model)
        pipeline = Pipeline(model, strength=settings.strength, options=settings.options)
        seed = settings.seed if isinstance(settings, ColoringSettings) else None
        return pipeline if seed is None else SamplingPipeline(pipeline, seed)

    def hinted(self, picture: OpenPicture, settings: ColoringSettings) -> Pipeline:
        """Make the pipeline with the hints of a picture.

        Raises:
            UsageError: a hint is written wrongly, or lies outside the picture; or as for `pipeline`.
            ColorcliError: as for `pipeline`.
        """
        pipeline = self.pipeline(settings)
        return HintedPipeline(pipeline, _placed(picture, settings)) if settings.hints else pipeline

    def preview(self, picture: OpenPicture, settings: ColoringSettings, most: int) -> ColoredFile:
        """Color the preview of a picture.

        Args:
            picture: its chroma is predicted once for each model, options and seed.
            settings: how to color it.
            most: pixels of the preview.
        """
        joined = self.pipeline(settings).join(reduced(picture.preview, most), self._chroma(picture, settings))
        return _as_preview(joined)

    def original(self, picture: OpenPicture, most: int) -> ColoredFile:
        """Show the preview of a picture as it was sent."""
        return _as_preview(reduced(picture.preview, most))

    def palette(self, picture: OpenPicture, settings: PlaceSettings) -> dict[str, Any]:
        """Suggest colors for a place of a picture."""
        chroma = self._chroma(picture, settings)
        return suggest(picture, self.pipeline(settings), chroma, (settings.x, settings.y))

    def file(self, picture: OpenPicture, settings: ColoringSettings) -> ColoredFile:
        """Color the whole file, in its own size and depth and with its metadata, as `colorcli run` does.

        Raises:
            UsageError: the format is unknown.
            UnwritableMedia: the format cannot hold the picture.
        """
        kind = _wanted_format(settings.format)
        opened, pipeline = picture.picture, self.hinted(picture, settings)
        kept: list[None] = []
        if opened.count == 1:
            frame = picture.first_frame()
            if not settings.recolor and is_in_color(frame.pixels):
                return _copy(picture)
            frames = iter([pipeline.join(frame, self._chroma(picture, settings))])
        else:
            if not settings.recolor and all(is_in_color(each.pixels) for each in opened.frames()):
                return _copy(picture)
            frames = color_pages(pipeline, opened.frames(), kept, recolor=settings.recolor)
        stream = BytesIO()
        format_ = kind.name if kind else None
        remarks = write_picture(stream, frames, opened, format=format_, provenance=pipeline.provenance)
        written = kind or formats.FORMATS[opened.format]
        if not written.holds_xmp:
            remarks.append(f"a {written.name} file cannot say that its colors are artificial; other formats do")
        if kept:
            remarks.append(f"{len(kept)} of {opened.count} pages are already in color and stay as they are")
        return ColoredFile(
            output_name(picture.name, kind), MEDIA_TYPES[written.name], stream.getvalue(), (*opened.remarks, *remarks)
        )

    def _chroma(self, picture: OpenPicture, settings: ColoringSettings) -> Tensor:
        """Return the chroma of the first frame times the strength, with the hints.

        The network runs once for each model, options and seed; a strength costs a product, a hint what it spreads to.
        """
        pipeline = self.hinted(picture, msgspec.structs.replace(settings, strength=1.0))
        if not isinstance(pipeline, HintedPipeline):
            return picture.chroma(pipeline) * settings.strength
        predicted = picture.chroma(pipeline.predictor) * settings.strength
        return picture.spreader().spread(predicted, pipeline.hints)


def output_name(name: str, kind: Format | None) -> str:
    """Return the name that `colorcli run` gives an output: `a-color.jpg` for `a.jpg`."""
    path = PurePath(name)
    known = path.suffix.lower() in formats.BY_SUFFIX
    stem, suffix = (path.stem, path.suffix) if known else (path.name, "")
    if kind is not None and suffix.lower() not in kind.suffixes:
        suffix = kind.suffix
    return f"{stem}-color{suffix}"


def _placed(picture: OpenPicture, settings: ColoringSettings) -> list[Hint]:
    """Place hints in a picture.

    Raises:
        UsageError: one is written wrongly, has a time, or lies outside the picture.
    """
    written = [WrittenHint.parse(text) for text in settings.hints]
    for hint in written:
        if hint.seconds is not None:
            raise UsageError(f"The hint {hint} has a time, but {picture.name} is not a film.", "Leave out the time.")
    return [hint.placed(*picture.picture.size) for hint in written]


def _copy(picture: OpenPicture) -> ColoredFile:
    remark = "the picture is already in color and was copied; set `recolor` to recolor it"
    return ColoredFile(
        output_name(picture.name, None), MEDIA_TYPES[picture.picture.format], picture.content, (remark,)
    )


def _wanted_format(name: str | None) -> Format | None:
    if name is None:
        return None
    kind = formats.named(name)
    if kind is None:
        raise UsageError(f"{name!r} is not a picture format.", f"Choose from {', '.join(formats.FORMATS)}.")
    return kind


def _as_preview(frame: Frame) -> ColoredFile:
    """Encode a frame quickly and well enough for a screen."""
    if frame.alpha is not None:
        stream = BytesIO()
        to_image(frame).save(stream, "WEBP", quality=_PREVIEW_QUALITY, method=0)
        return ColoredFile("preview.webp", "image/webp", stream.getvalue())
    gray = frame.pixels.ndim == 2
    pixels = np.ascontiguousarray(frame.pixels[..., None] if gray else frame.pixels)
    space, subsampling = ("GRAY", "Gray") if gray else ("RGB", "444")
    content = simplejpeg.encode_jpeg(pixels, _PREVIEW_QUALITY, colorspace=space, colorsubsampling=subsampling)
    return ColoredFile("preview.jpg", "image/jpeg", content)
