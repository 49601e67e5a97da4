"""Stills that somebody colored, carried through the shots of a gray film."""

import shutil
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from colorcli.color import lab_to_rgb, rgb_to_lab
from colorcli.errors import UnreadableMedia, UsageError
from colorcli.film.colorize import FilmSettings
from colorcli.film.representatives import representatives
from colorcli.film.shot_list import Shot
from colorcli.film.stills import find_stills, still_name
from colorcli.media.films.original import read_stills
from colorcli.media.films.probe import probe
from tests.film import test_colorize
from tests.film.scenes import passing_disc
from tests.film.test_colorize import pipeline_of
from tests.media.films.clips import decoded, make_clip

SIZE = (160, 120)


def panning(shots, frames):
    """RGB (shots * frames, H, W, 3): in each shot, the camera pans across a wall of colored spots."""
    width, height = SIZE
    film = []
    for shot in range(shots):
        noise = np.random.default_rng(shot).normal(size=(height, width + frames, 3)).astype(np.float32)
        spots = 8 * cv2.GaussianBlur(noise, (0, 0), 8) + 24 * cv2.GaussianBlur(noise, (0, 0), 24)
        spots += cv2.GaussianBlur(noise[..., :1], (0, 0), 1)[..., None]
        wall = cv2.normalize(spots, None, 30, 220, cv2.NORM_MINMAX).astype(np.uint8)
        film += [wall[:, each : each + width] for each in range(frames)]
    return np.stack(film)


def passing(frames):
    """RGB (2 * frames, H, W, 3): in each of two shots, a red disc passes in front of a green wall."""
    lightness, chroma, _ = passing_disc(frames, 2, SIZE[::-1])
    rgb = lab_to_rgb(torch.from_numpy(np.stack(lightness)), torch.from_numpy(np.stack(chroma)))
    rgb = (rgb.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return np.concatenate((rgb, rgb[:, ::-1, ::-1, ::-1]))


CLIPS = {
    "a pan": lambda: panning(3, 15),
    "a disc": lambda: passing(20),
    "a slow pan": lambda: np.repeat(panning(2, 12), 2, axis=0),
}


def in_two(folder, pictures, **options):
    """The same film in gray and in its true colors."""
    gray = np.repeat(np.stack([cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in pictures])[..., None], 3, axis=-1)
    kept = {"codec": "ffv1", "pix_fmt": "yuv444p"} | options
    return make_clip(folder / "gray.mkv", pictures=gray, **kept), make_clip(
        folder / "true.mkv", pictures=pictures, **kept
    )


def colorize(source, settings, **keywords):
    return test_colorize.colorize(source, pipeline_of(size=128), settings, **keywords)


def save(path, pixels):
    cv2.imwrite(str(path), pixels[..., ::-1])


def colored_stills(folder, gray, true):
    """A still for each shot of the gray film, in its true colors."""
    folder.mkdir()
    found = list(representatives(probe(gray)))
    for shot, pixels in zip(found, read_stills(probe(true), [each.number for each in found]), strict=True):
        save(folder / still_name(shot.time), pixels)
    return found


def ab_of(path, numbers):
    pixels = np.stack(list(read_stills(probe(path), numbers))).astype(np.float32) / 65535
    return rgb_to_lab(torch.from_numpy(pixels).permute(0, 3, 1, 2))[:, 1:].numpy()


def error(one, other):
    """The distance in ab, for each frame."""
    return np.sqrt(np.square(one - other).sum(axis=1)).mean(axis=(1, 2))


# The stills of a film


@pytest.mark.parametrize("shots", [1, 3])
def test_every_shot_has_a_representative(tmp_path, shots):
    gray, _ = in_two(tmp_path, panning(shots, 15))
    found = list(representatives(probe(gray)))
    assert [each.start for each in found] == [Fraction(15 * number, 25) for number in range(shots)]
    assert [each.end for each in found] == [Fraction(15 * number, 25) for number in range(1, shots + 1)]
    assert all(each.start <= each.time < each.end and each.time == Fraction(each.number, 25) for each in found)


def test_the_representative_is_sharp(tmp_path):
    pictures = panning(1, 20)
    for number in set(range(20)) - {9, 10, 11}:
        pictures[number] = cv2.GaussianBlur(pictures[number], (0, 0), 3)
    (found,) = representatives(probe(in_two(tmp_path, pictures)[0]))
    assert found.number in {9, 10, 11}


def test_the_representative_is_typical(tmp_path):
    """A sharp flash is not what the shot looks like."""
    pictures = np.repeat(panning(1, 1), 20, axis=0)
    pictures[5:7] = np.random.default_rng(0).integers(0, 255, (120, 160, 3))
    (found,) = representatives(probe(in_two(tmp_path, pictures)[0]))
    assert found.number not in {5, 6}


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (120, 160, 3)),
        ({"rotation": 90, "codec": "libx264", "pix_fmt": "yuv420p"}, (160, 120, 3)),
        ({"sample_aspect_ratio": "2"}, (120, 320, 3)),
        ({"matrix": "bt470bg", "full_range": True}, (120, 160, 3)),
        ({"pix_fmt": "yuv420p10le"}, (120, 160, 3)),
    ],
)
def test_stills_have_16_bits_and_are_as_displayed(tmp_path, options, shape):
    suffix = "mp4" if "rotation" in options else "mkv"
    kept = {"codec": "ffv1", "pix_fmt": "yuv444p"} | options
    pictures = panning(1, 6)
    stills = list(read_stills(probe(make_clip(tmp_path / f"a.{suffix}", pictures=pictures, **kept)), [0, 3]))
    assert [each.shape for each in stills] == [shape, shape]
    assert stills[0].dtype == np.uint16
    if shape == (120, 160, 3):
        assert np.abs(stills[1] / 257 - pictures[3]).mean() < 3


@pytest.mark.parametrize(
    ("time", "name"),
    [
        (Fraction(0), "00-00-00.000.png"),
        (Fraction(6248, 100), "00-01-02.480.png"),
        (Fraction(1001, 30000), "00-00-00.034.png"),
        (Fraction(3600 * 11 + 61), "11-01-01.000.png"),
    ],
)
def test_a_still_is_named_by_its_time(time, name):
    assert still_name(time) == name


# Which still belongs where


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("00-00-00.240.png", Fraction(6, 25)),
        ("castle-00-00-00.24.jpg", Fraction(6, 25)),
        ("ref_000006.png", Fraction(6, 25)),
        ("REF_6.tif", Fraction(6, 25)),
    ],
)
def test_names_tell_the_time(tmp_path, name, time):
    film = probe(make_clip(tmp_path / "a.mkv"))
    (tmp_path / "stills").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "stills" / name)
    (tmp_path / "stills" / "shots.csv").write_text("start,end")
    Image.new("RGB", (64, 48)).save(tmp_path / "stills" / "sheet.png")
    assert [(each.path.name, each.time) for each in find_stills(film, tmp_path / "stills", ())] == [(name, time)]


def test_numbers_count_the_frames_of_a_variable_rate(tmp_path):
    film = probe(make_clip(tmp_path / "a.mkv", 20, vfr=True))
    (tmp_path / "stills").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "stills" / "ref_000007.png")
    (found,) = find_stills(film, tmp_path / "stills", ())
    assert found.time == decoded(film.path)[7][0]


def test_a_list_of_shots_names_the_stills_that_count(tmp_path):
    film = probe(make_clip(tmp_path / "a.mkv"))
    (tmp_path / "stills").mkdir()
    for name in ("00-00-00.000.jpg", "00-00-00.240.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / "stills" / name)
    shots = [Shot(Fraction(0), Fraction(1), references=("00-00-00.000.png",))]
    assert [each.path.name for each in find_stills(film, tmp_path / "stills", shots)] == ["00-00-00.000.jpg"]
    for name, says in [("nowhere.png", r"nowhere\.png: not found"), ("castle.png", "must contain the time")]:
        Image.new("RGB", (64, 48)).save(tmp_path / "stills" / "castle.png")
        with pytest.raises(UsageError, match=says):
            find_stills(film, tmp_path / "stills", [Shot(Fraction(0), Fraction(1), references=(name,))])


def test_a_folder_without_stills_is_an_error(tmp_path):
    film = probe(make_clip(tmp_path / "a.mkv"))
    with pytest.raises(UsageError, match="no stills found"):
        find_stills(film, tmp_path, ())
    with pytest.raises(UnreadableMedia, match="No such file"):
        find_stills(film, tmp_path / "nowhere", ())


# Colors


@pytest.mark.parametrize("clip", CLIPS)
def test_colors_of_a_still_reach_both_ends_of_its_shot_and_cross_no_cut(tmp_path, clip):
    pictures = CLIPS[clip]()
    gray, true = in_two(tmp_path, pictures)
    shots = colored_stills(tmp_path / "stills", gray, true)
    settings = FilmSettings(codec="ffv1", stills=tmp_path / "stills")
    written = colorize(gray, settings=settings).target
    numbers = sorted({each.number for each in shots} | set(range(len(pictures))[:: len(pictures) // len(shots)]))
    ends = [round(each.end * 25) - 1 for each in shots]
    numbers = sorted({*numbers, *ends})
    assert len(shots) == len(ends) >= 2
    errors = dict(zip(numbers, error(ab_of(written, numbers), ab_of(true, numbers)), strict=True))
    assert max(errors.values()) < 5, errors


def test_no_color_crosses_a_cut(tmp_path):
    """Only one shot has a still; the others are as without it."""
    gray, true = in_two(tmp_path, panning(3, 15))
    shots = colored_stills(tmp_path / "stills", gray, true)
    for each in (shots[0], shots[2]):
        (tmp_path / "stills" / still_name(each.time)).unlink()
    plain = colorize(gray, settings=FilmSettings(codec="ffv1"), target=tmp_path / "plain.mkv").target
    written = colorize(gray, settings=FilmSettings(codec="ffv1", stills=tmp_path / "stills")).target
    others = [0, 7, 14, 30, 37, 44]
    assert np.array_equal(ab_of(written, others), ab_of(plain, others))
    assert error(ab_of(written, [15, 22, 29]), ab_of(plain, [15, 22, 29])).min() > 5


def test_several_stills_of_a_shot_share_it(tmp_path):
    gray, _ = in_two(tmp_path, np.repeat(panning(1, 1), 21, axis=0))
    (tmp_path / "stills").mkdir()
    lightness = next(read_stills(probe(gray), [0])).astype(float)
    for number, color in ((0, (1, 0.6, 0.6)), (20, (0.6, 0.6, 1))):
        pixels = (lightness * color).astype(np.uint16)
        save(tmp_path / "stills" / f"ref_{number:06}.png", pixels)
    found = ab_of(colorize(gray, settings=FilmSettings(codec="ffv1", stills=tmp_path / "stills")).target, [1, 10, 19])
    red, middle, blue = found.mean(axis=(2, 3))
    assert red[0] > 10
    assert blue[1] < -10
    assert blue[1] < middle[1] < red[1]


# What does not fit


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda still: still[:, :, [1, 1, 1]], "a corrected frame must be in color"),
        (lambda still: still[:, :90], "does not match the aspect ratio"),
        (lambda still: still[:, ::-1], "does not show the frame at"),
        (lambda still: (still * 0.6).astype(np.uint16), "of its frame"),
    ],
)
def test_what_does_not_fit_is_reported(tmp_path, change, says):
    gray, true = in_two(tmp_path, panning(1, 10))
    (shot,) = colored_stills(tmp_path / "stills", gray, true)
    path = tmp_path / "stills" / still_name(shot.time)
    save(path, change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]))
    (remark,) = colorize(gray, settings=FilmSettings(codec="ffv1", stills=tmp_path / "stills")).remarks
    assert says.replace("of its frame", "from its frame") in remark


def test_a_larger_still_is_scaled(tmp_path):
    gray, true = in_two(tmp_path, panning(1, 10))
    (shot,) = colored_stills(tmp_path / "stills", gray, true)
    path = tmp_path / "stills" / still_name(shot.time)
    save(path, cv2.resize(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), (320, 240))[..., ::-1])
    outcome = colorize(gray, settings=FilmSettings(codec="ffv1", stills=tmp_path / "stills"))
    assert outcome.remarks == ()
    assert error(ab_of(outcome.target, [0, 9]), ab_of(true, [0, 9])).max() < 5


# Shots that somebody gives


def test_given_shots_replace_the_detected_ones(tmp_path):
    gray, _ = in_two(tmp_path, panning(2, 15))
    shots = (Shot(Fraction(0), Fraction(4, 25)), Shot(Fraction(401, 1000), Fraction(12, 10)))
    outcome = colorize(gray, settings=FilmSettings(codec="ffv1", shots=shots))
    assert outcome.figures.shots == 3  # the two, and what lies between them


def test_a_shot_may_have_a_strength_and_a_model_of_its_own(tmp_path):
    gray, _ = in_two(tmp_path, panning(3, 15))
    shots = tuple(Shot(Fraction(15 * n, 25), Fraction(15 * n + 15, 25)) for n in range(3))
    faint, large = pipeline_of(size=128, strength=0), pipeline_of(size=64)
    settings = FilmSettings(codec="ffv1", shots=shots)
    target = tmp_path / "plain.mkv"
    plain = ab_of(colorize(gray, settings=settings, target=target).target, [7, 22, 37])
    own = {shots[1]: faint, shots[2]: large}
    found = ab_of(colorize(gray, settings=settings, own_pipelines=own).target, [7, 22, 37])
    assert np.abs(found[0] - plain[0]).max() == 0
    assert np.abs(found[1]).mean() < 1 < np.abs(plain[1]).mean()
    assert np.abs(found[2] - plain[2]).mean() > 0.1


def test_different_stills_are_different_settings(tmp_path):
    gray, true = in_two(tmp_path, panning(2, 10))
    shots = colored_stills(tmp_path / "stills", gray, true)
    settings = FilmSettings(codec="ffv1", stills=tmp_path / "stills")
    colorize(gray, settings=settings)
    assert colorize(gray, settings=settings).done_before
    shutil.copy(tmp_path / "stills" / still_name(shots[0].time), tmp_path / "stills" / "00-00-00.040.png")
    assert not colorize(gray, settings=settings, overwrite=True).done_before
