from fractions import Fraction

import numpy as np
import pytest

from colorcli.film.prepare import MAX_SHOT_SECONDS, prepare_shots, read_lead_in
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import FilmFrame, read_frames
from tests.media.films.clips import make_clip, moving_pictures


def patterns(scenes, each):
    """RGB (scenes * each, 48, 64, 3): still pictures of large blocks, each shown for some frames."""
    blocks = np.random.default_rng(0).integers(0, 255, (scenes, 3, 4, 3), np.uint8)
    return np.repeat(np.kron(blocks, np.ones((1, 16, 16, 1), np.uint8)), each, axis=0)


def film_of(path, **settings):
    return probe(make_clip(path, **settings))


def looked_at(film, size=32, after=None, number=0):
    with read_frames(film, after=after, number=number) as reader:
        return list(prepare_shots(film, reader, size))


def test_every_frame_appears_once_and_in_order(tmp_path):
    film = film_of(tmp_path / "a.mkv", pictures=patterns(3, 10))
    found = looked_at(film)
    assert [prepared.frame.number for prepared in found] == list(range(30))
    assert [prepared.shot for prepared in found] == [0] * 10 + [1] * 10 + [2] * 10
    assert [prepared.place for prepared in found] == [*range(10)] * 3


def test_the_network_input_is_upright(tmp_path):
    pictures = moving_pictures(1, (64, 48))
    pictures[:, :, :20] = 250  # left, which is below once it is turned counter-clockwise
    film = film_of(tmp_path / "a.mp4", pictures=pictures, rotation=90)
    assert film.rotation == 270
    (prepared,) = looked_at(film, 32)
    assert prepared.network_input.shape == (1, 32, 32)
    assert prepared.network_input[0, -6:].mean() > 90 > prepared.network_input[0, :6].mean()


def test_a_network_of_any_size_gets_every_pixel_and_stabilization_at_most_512(tmp_path):
    film = film_of(tmp_path / "a.mp4", frames=1, size=(640, 360), rotation=90)
    (prepared,) = looked_at(film, None)
    assert prepared.network_input.shape == (1, 640, 360)
    assert prepared.lightness.shape == (1, 512, 288)
    assert abs(prepared.lightness.mean() - prepared.network_input.mean()) < 0.1


def test_stabilization_uses_the_size_of_a_256_pixel_network(tmp_path):
    (prepared,) = looked_at(film_of(tmp_path / "a.mp4", frames=1), 256)
    assert np.shares_memory(prepared.lightness, prepared.network_input.numpy())


def test_parts_begin_with_shots_and_are_long_enough(tmp_path):
    """At one frame a second, shots of six seconds: two of them are a part."""
    film = film_of(tmp_path / "a.mkv", pictures=patterns(6, 6), fps="1")
    found = looked_at(film)
    assert max(prepared.shot for prepared in found) == 5
    assert [prepared.frame.number for prepared in found if prepared.begins_part] == [12, 24]


def test_a_resumed_run_finds_the_same_from_the_beginning_of_a_part(tmp_path):
    film = film_of(tmp_path / "a.mkv", pictures=patterns(4, 12), fps="1")
    whole = looked_at(film)
    begins = next(prepared for prepared in whole if prepared.begins_part)
    rest = looked_at(film, after=whole[begins.frame.number - 1].frame.time, number=begins.frame.number)
    assert [prepared.frame.number for prepared in rest] == list(range(12, 48))
    for one, other in zip(whole[begins.frame.number + 1 :], rest[1:], strict=True):
        assert (one.frame.time, one.place, one.begins_part) == (other.frame.time, other.place, other.begins_part)
        assert (one.network_input == other.network_input).all()


def endless(frames_a_second, seconds):
    luma = np.full((48, 64), 100, np.uint8)
    return (FilmFrame(luma, Fraction(n, frames_a_second), n) for n in range(int(seconds * frames_a_second)))


@pytest.mark.parametrize("frames_a_second", [1, 12])
def test_a_very_long_shot_is_processed_in_pieces(tmp_path, frames_a_second):
    film = film_of(tmp_path / "a.mkv", frames=1)
    found = list(prepare_shots(film, endless(frames_a_second, 2.5 * MAX_SHOT_SECONDS), 16))
    written = [prepared for prepared in found if prepared.written]
    assert [prepared.frame.number for prepared in written] == list(
        range(int(2.5 * MAX_SHOT_SECONDS) * frames_a_second)
    )
    assert {prepared.shot for prepared in found} == {0}
    assert [prepared.frame.time for prepared in written if prepared.begins_part] == [
        MAX_SHOT_SECONDS,
        2 * MAX_SHOT_SECONDS,
    ]
    assert all(prepared.runs_on == prepared.begins_part for prepared in written)


@pytest.mark.parametrize(("frames_a_second", "leading"), [(1, 4), (12, 32)])
def test_a_piece_has_frames_before_and_after_it(tmp_path, frames_a_second, leading):
    film = film_of(tmp_path / "a.mkv", frames=1)
    found = list(prepare_shots(film, endless(frames_a_second, 1.5 * MAX_SHOT_SECONDS), 16))
    first = int(MAX_SHOT_SECONDS * frames_a_second)
    around = [prepared.frame.number for prepared in found if not prepared.written]
    assert around == [*range(first, first + 24), *range(first - leading, first)]
    (begins,) = (prepared for prepared in found if prepared.place == 0 and prepared is not found[0])
    assert begins.frame.number == first - leading
    assert all(prepared.frame.luma.size == 0 for prepared in found if not prepared.written)


def test_a_run_resumed_in_the_middle_of_a_shot_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("colorcli.film.prepare.MAX_SHOT_SECONDS", Fraction(20))
    film = film_of(tmp_path / "a.mkv", pictures=patterns(1, 70), fps="2")
    whole = looked_at(film)
    place, begins = next((place, prepared) for place, prepared in enumerate(whole) if prepared.runs_on)
    assert begins.frame.time == 20
    lead = read_lead_in(film, Fraction(39, 2), 40)
    with read_frames(film, after=Fraction(39, 2), number=40) as reader:
        rest = list(prepare_shots(film, reader, 32, lead))
    same = whole[place - len(lead) :]
    assert [(s.frame.number, s.place, s.written) for s in rest] == [(s.frame.number, s.place, s.written) for s in same]
    for one, other in zip(rest, same, strict=True):
        assert (one.network_input == other.network_input).all()


def test_a_film_of_one_frame_is_a_shot(tmp_path):
    (prepared,) = looked_at(film_of(tmp_path / "a.mp4", frames=1))
    assert (prepared.shot, prepared.place, prepared.begins_part) == (0, 0, False)
