"""Films that are numbered pictures, in and out."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.film.colorize import FilmSettings
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from colorcli.media.films.sequences import find_sequence, is_pattern, pattern_of
from tests.film.test_colorize import colorize, noisy, patterns, pipeline_of
from tests.media.films.clips import make_clip, plane, run_ffmpeg


def sequence(folder, suffix, frames=6, pix_fmt="gbrp10le", first=1, pictures=None):
    """Gray pictures with numbers of six digits: their pattern, and the levels of each, 0..1023."""
    folder.mkdir(exist_ok=True)
    levels = np.random.default_rng(0).integers(0, 1024, (frames, 48, 64)) if pictures is None else pictures
    wide = np.repeat(np.rint(levels * (65535 / 1023)).astype("<u2")[..., None], 3, axis=-1)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "64x48", "-r", 24, "-i", "pipe:0"]
    pattern = folder / f"shot-%06d{suffix}"
    run_ffmpeg(*raw, "-pix_fmt", pix_fmt, "-start_number", first, pattern, stdin=wide.tobytes())
    return pattern, levels


def luma_of(pattern):
    """The luma of every frame, in codes of 8 or 10 bits."""
    film = probe(pattern)
    scale = 1023 / 4095 if film.depth == 12 else 1
    return np.stack([np.rint(frame.luma * scale) for frame in read_frames(film)])


FORMATS = [(".dpx", "gbrp10le"), (".dpx", "rgb48be"), (".png", "rgb48be"), (".tif", "rgb48le"), (".tiff", "rgb48le")]


@pytest.mark.parametrize(("suffix", "pix_fmt"), FORMATS)
def test_the_luma_of_gray_pictures_is_exact(tmp_path, suffix, pix_fmt):
    pattern, levels = sequence(tmp_path / "in", suffix, pix_fmt=pix_fmt)
    film = probe(pattern)
    assert (film.range, film.frame_rate, film.width, film.height) == ("pc", 24, 64, 48)
    assert film.depth == (10 if pix_fmt == "gbrp10le" else 12)
    assert np.array_equal(luma_of(pattern), levels)


@pytest.mark.parametrize("pix_fmt", ["gray", "rgb24"])
def test_pictures_of_8_bits_have_luma_of_8_bits(tmp_path, pix_fmt):
    levels = np.random.default_rng(0).integers(0, 256, (3, 48, 64), np.uint8)
    (tmp_path / "in").mkdir()
    for number, picture in enumerate(levels, 1):
        shown = picture if pix_fmt == "gray" else np.repeat(picture[..., None], 3, axis=-1)
        cv2.imwrite(str(tmp_path / "in" / f"{number:04}.png"), shown)
    assert np.array_equal(luma_of(tmp_path / "in" / "%04d.png"), levels)


@pytest.mark.parametrize(("suffix", "pix_fmt"), [(".png", "rgba64be"), (".dpx", "rgba"), (".png", "ya16be")])
def test_transparency_of_pictures_is_left_out_with_a_note(tmp_path, suffix, pix_fmt):
    pattern, levels = sequence(tmp_path / "in", suffix, 3, pix_fmt=pix_fmt)
    film = probe(pattern)
    assert not film.alpha
    assert "the transparency of its pictures is left out" in film.notes
    scale = 1 if film.depth == 12 else 255 / 1023
    assert np.abs(luma_of(pattern) - levels * scale).max() <= 5
    assert colorize(pattern, target=tmp_path / "out" / "%06d.png").figures.frames == 3


def test_the_luma_of_jpegs_is_theirs(tmp_path):
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 3)
    cv2.imwrite(str(tmp_path / "1.jpg"), picture)
    with av.open(str(tmp_path / "1.jpg")) as container:
        expected = plane(next(container.decode(video=0)), 0)
    assert np.array_equal(luma_of(tmp_path / "%d.jpg")[0], expected)


def test_linear_light_is_read_as_it_is_displayed(tmp_path):
    pattern, levels = sequence(tmp_path / "in", ".exr", pix_fmt="gbrpf32le")
    light = levels / 1023
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 1023
    assert np.abs(luma_of(pattern) - expected).max() <= 1


# Which pictures


@pytest.mark.parametrize(
    ("names", "film", "pattern", "first"),
    [
        (["0001.dpx", "0002.dpx"], False, "%04d.dpx", 1),
        (["a.0998.exr", "a.0999.exr"], False, "a.%04d.exr", 998),
        (["s1-9.tif", "s1-10.tif"], True, "s1-%d.tif", 9),
        (["0001.tif", "0002.tif"], False, None, None),
        (["0001.tif", "0002.tif", "colorcli.xmp", ".hidden"], True, "%04d.tif", 1),
        (["a1.dpx", "b1.dpx"], True, None, None),
        (["holiday.png"], True, None, None),
        ([], True, None, None),
    ],
)
def test_a_folder_of_numbered_pictures_is_a_sequence(tmp_path, names, film, pattern, first):
    for name in names:
        (tmp_path / name).touch()
    found = pattern_of(tmp_path, film=film)
    assert found == (pattern and tmp_path / pattern)
    if found:
        assert (find_sequence(found).first, find_sequence(found).count) == (first, 2)


def test_only_names_with_a_place_for_a_number_are_patterns(tmp_path):
    assert is_pattern(tmp_path / "%06d.png")
    assert is_pattern(tmp_path / "a%d.exr")
    assert not is_pattern(tmp_path / "a.png")
    assert not is_pattern(tmp_path / "%06d.mp4")


def test_what_is_missing_is_an_error(tmp_path):
    pattern, _ = sequence(tmp_path / "in", ".png", 5, pix_fmt="rgb48be")
    (tmp_path / "in" / "shot-000003.png").unlink()
    with pytest.raises(UnreadableMedia, match=r"shot-000003\.png: this frame is missing"):
        probe(pattern)
    with pytest.raises(UnreadableMedia, match="no pictures found"):
        probe(tmp_path / "in" / "take-%06d.png")


# Through


@pytest.mark.parametrize("suffix", [".dpx", ".png", ".tiff"])
def test_luma_survives_from_pictures_to_pictures(tmp_path, suffix):
    count = 100 if suffix == ".dpx" else 5
    pattern, levels = sequence(tmp_path / "in", ".dpx", count, first=1001)
    outcome = colorize(pattern, target=tmp_path / "out" / f"%06d{suffix}")
    assert outcome.figures.frames == count
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted([*(f"{1001 + number:06}{suffix}" for number in range(count)), "colorcli.xmp"])
    assert np.array_equal(luma_of(outcome.target), levels)
    with av.open(str(tmp_path / "out" / f"001001{suffix}")) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb48le")
    assert (rgb[..., 0] != rgb[..., 2]).mean() > 0.5  # it is in color


def test_linear_light_survives(tmp_path):
    pattern, _ = sequence(tmp_path / "in", ".exr", pix_fmt="gbrpf32le")
    outcome = colorize(pattern, target=tmp_path / "out" / "%06d.exr")
    assert np.abs(luma_of(outcome.target) - luma_of(pattern)).max() <= 1


@pytest.mark.parametrize("rate", [None, Fraction(25), Fraction(24000, 1001)])
def test_pictures_become_a_film_of_their_rate(tmp_path, rate):
    pattern, levels = sequence(tmp_path / "in", ".dpx")
    settings = FilmSettings(codec="ffv1", frame_rate=rate)
    film = probe(colorize(pattern, settings=settings, target=tmp_path / "film.mkv").target)
    assert abs(film.frame_rate - (rate or 24)) < Fraction(1, 100)
    assert np.array_equal(luma_of(film.path), levels)


def test_a_film_becomes_pictures_as_displayed(tmp_path):
    source = make_clip(tmp_path / "film.mp4", pictures=noisy(patterns(1, 4)), rotation=90, audio="aac")
    outcome = colorize(source, target=tmp_path / "out" / "%04d.png")
    assert cv2.imread(str(tmp_path / "out" / "0004.png"), cv2.IMREAD_UNCHANGED).shape == (64, 48, 3)
    assert outcome.remarks[-1] == "streams left out, because a sequence contains only pictures: audio"


def test_finished_pictures_are_not_made_again(tmp_path):
    pattern, _ = sequence(tmp_path / "in", ".dpx")
    target = tmp_path / "out" / "%06d.dpx"
    assert not colorize(pattern, target=target).done_before
    assert colorize(pattern, target=target).done_before
    assert not colorize(pattern, pipeline_of(strength=0.5), target=target, overwrite=True).done_before


# Proof


@pytest.mark.parametrize(
    ("codec", "says"), [("ffv1", "the luma of all 6 frames"), ("mpeg4", "of 6 frames is that of")]
)
def test_checksums_prove_that_luma_is_untouched(tmp_path, codec, says):
    source = make_clip(tmp_path / "a.mkv", 6, codec="ffv1")
    outcome = colorize(source, settings=FilmSettings(codec=codec, luma_md5=True))
    before, after = ((tmp_path / f"a-color.mkv.{each}.framemd5").read_text() for each in ("before", "after"))
    assert says in outcome.remarks[-1]
    assert (before == after) == (codec == "ffv1")
    run_ffmpeg("-i", source, "-vf", "extractplanes=y", "-f", "framemd5", tmp_path / "ffmpeg.framemd5")
    theirs = (tmp_path / "ffmpeg.framemd5").read_text()
    assert [line.split()[-1] for line in before.splitlines()[8:]] == [
        line.split()[-1] for line in theirs.splitlines()[-6:]
    ]


def test_checksums_of_pictures_lie_beside_their_folder(tmp_path):
    pattern, _ = sequence(tmp_path / "in", ".dpx")
    outcome = colorize(pattern, settings=FilmSettings(luma_md5=True), target=tmp_path / "out" / "%06d.dpx")
    assert (tmp_path / "out.before.framemd5").exists()
    assert outcome.remarks[-1] == "luma has 12 bits instead of 10, so its checksums differ"
