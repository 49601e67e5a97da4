from fractions import Fraction

import numpy as np
import pytest

from colorcli.film.shot_frames import LONGEST, lead_in, stills
from colorcli.media.films.probe import probe
from colorcli.media.films.source import FilmFrame, frames
from tests.media.films.clips import make_clip, moving_pictures


def patterns(scenes, each):
    """RGB (scenes * each, 48, 64, 3): still pictures of large blocks, each shown for some frames."""
    blocks = np.random.default_rng(0).integers(0, 255, (scenes, 3, 4, 3), np.uint8)
    return np.repeat(np.kron(blocks, np.ones((1, 16, 16, 1), np.uint8)), each, axis=0)


def film_of(path, **settings):
    return probe(make_clip(path, **settings))


def looked_at(film, size=32, after=None, number=0):
    with frames(film, after=after, number=number) as reader:
        return list(stills(film, reader, size))


def test_every_frame_comes_once_and_in_order(tmp_path):
    film = film_of(tmp_path / "a.mkv", pictures=patterns(3, 10))
    found = looked_at(film)
    assert [still.frame.number for still in found] == list(range(30))
    assert [still.shot for still in found] == [0] * 10 + [1] * 10 + [2] * 10
    assert [still.place for still in found] == [*range(10)] * 3


def test_the_network_sees_the_film_upright(tmp_path):
    pictures = moving_pictures(1, (64, 48))
    pictures[:, :, :20] = 250  # left, which is below once it is turned counter-clockwise
    film = film_of(tmp_path / "a.mp4", pictures=pictures, rotation=90)
    assert film.rotation == 270
    (still,) = looked_at(film, 32)
    assert still.seen.shape == (1, 32, 32)
    assert still.seen[0, -6:].mean() > 90 > still.seen[0, :6].mean()


def test_a_network_of_any_size_sees_all_pixels_and_colors_are_steadied_at_512_at_most(tmp_path):
    film = film_of(tmp_path / "a.mp4", frames=1, size=(640, 360), rotation=90)
    (still,) = looked_at(film, None)
    assert still.seen.shape == (1, 640, 360)
    assert still.lightness.shape == (1, 512, 288)
    assert abs(still.lightness.mean() - still.seen.mean()) < 0.1


def test_a_network_of_256_pixels_has_its_colors_steadied_at_that_size(tmp_path):
    (still,) = looked_at(film_of(tmp_path / "a.mp4", frames=1), 256)
    assert still.lightness is still.seen


def test_parts_begin_with_shots_and_are_long_enough(tmp_path):
    """At one frame a second, shots of six seconds: two of them are a part."""
    film = film_of(tmp_path / "a.mkv", pictures=patterns(6, 6), fps="1")
    found = looked_at(film)
    assert max(still.shot for still in found) == 5
    assert [still.frame.number for still in found if still.begins_part] == [12, 24]


def test_from_the_beginning_of_a_part_on_a_run_that_goes_on_finds_the_same(tmp_path):
    film = film_of(tmp_path / "a.mkv", pictures=patterns(4, 12), fps="1")
    whole = looked_at(film)
    begins = next(still for still in whole if still.begins_part)
    rest = looked_at(film, after=whole[begins.frame.number - 1].frame.time, number=begins.frame.number)
    assert [still.frame.number for still in rest] == list(range(12, 48))
    for one, other in zip(whole[begins.frame.number + 1 :], rest[1:], strict=True):
        assert (one.frame.time, one.place, one.begins_part) == (other.frame.time, other.place, other.begins_part)
        assert (one.seen == other.seen).all()


def endless(frames_a_second, seconds):
    luma = np.full((48, 64), 100, np.uint8)
    return (FilmFrame(luma, Fraction(n, frames_a_second), n) for n in range(int(seconds * frames_a_second)))


@pytest.mark.parametrize("frames_a_second", [1, 12])
def test_a_shot_without_end_is_worked_on_in_pieces(tmp_path, frames_a_second):
    film = film_of(tmp_path / "a.mkv", frames=1)
    found = list(stills(film, endless(frames_a_second, 2.5 * LONGEST), 16))
    written = [still for still in found if still.written]
    assert [still.frame.number for still in written] == list(range(int(2.5 * LONGEST) * frames_a_second))
    assert {still.shot for still in found} == {0}
    assert [still.frame.time for still in written if still.begins_part] == [LONGEST, 2 * LONGEST]
    assert all(still.runs_on == still.begins_part for still in written)


@pytest.mark.parametrize(("frames_a_second", "leading"), [(1, 4), (12, 32)])
def test_a_piece_is_led_up_to_and_run_out_of(tmp_path, frames_a_second, leading):
    film = film_of(tmp_path / "a.mkv", frames=1)
    found = list(stills(film, endless(frames_a_second, 1.5 * LONGEST), 16))
    first = int(LONGEST * frames_a_second)
    around = [still.frame.number for still in found if not still.written]
    assert around == [*range(first, first + 24), *range(first - leading, first)]
    (begins,) = (still for still in found if still.place == 0 and still is not found[0])
    assert begins.frame.number == first - leading
    assert all(still.frame.luma.size == 0 for still in found if not still.written)


def test_a_run_that_goes_on_in_the_midst_of_a_shot_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("colorcli.film.shot_frames.LONGEST", Fraction(20))
    film = film_of(tmp_path / "a.mkv", pictures=patterns(1, 70), fps="2")
    whole = looked_at(film)
    place, begins = next((place, still) for place, still in enumerate(whole) if still.runs_on)
    assert begins.frame.time == 20
    lead = lead_in(film, Fraction(39, 2), 40)
    with frames(film, after=Fraction(39, 2), number=40) as reader:
        rest = list(stills(film, reader, 32, lead))
    same = whole[place - len(lead) :]
    assert [(s.frame.number, s.place, s.written) for s in rest] == [(s.frame.number, s.place, s.written) for s in same]
    for one, other in zip(rest, same, strict=True):
        assert (one.seen == other.seen).all()


def test_a_film_of_one_frame_is_a_shot(tmp_path):
    (still,) = looked_at(film_of(tmp_path / "a.mp4", frames=1))
    assert (still.shot, still.place, still.begins_part) == (0, 0, False)
