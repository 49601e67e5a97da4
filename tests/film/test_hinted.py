"""Hints for films color the shot of their frame, and no other."""

from fractions import Fraction

import numpy as np
import pytest

from colorcli.errors import UsageError
from colorcli.film.colorize import FilmSettings, film_chroma
from colorcli.film.hinted import hinted_frames
from colorcli.hints.hint import WrittenHint
from colorcli.media.films.probe import probe
from tests.inference.test_pipeline import pipeline_of
from tests.media.films.clips import make_clip


@pytest.fixture
def film(tmp_path):
    """Two scenes of eight frames each."""
    return probe(make_clip(tmp_path / "film.mkv", frames=16, scenes=2))


def hints(*texts):
    return tuple(WrittenHint.parse(text) for text in texts)


def middles(film, **settings):
    """The ab in the middle of every frame."""
    colored = film_chroma(pipeline_of(), film, FilmSettings(stabilize="flow", **settings))
    return [ab[:, ab.shape[1] // 2, ab.shape[2] // 2] for _, ab in colored]


def test_a_hint_colors_its_shot_from_the_first_frame_to_the_last(film):
    plain, hinted = middles(film), middles(film, hints=hints("50%,50%@0.08=#b03020"))
    for before, after in zip(plain[:8], hinted[:8], strict=True):
        assert after[0] > before[0] + 30
    for before, after in zip(plain[8:], hinted[8:], strict=True):
        assert np.abs(after - before).max() < 1


def test_all_hints_of_a_time_make_one_reference(film):
    given = hints("50%,50%@0.08=#b03020", "10%,50%@0.08=navy", "50%,50%@0.48=navy")
    references = hinted_frames(film, given, lambda _time: pipeline_of())
    assert [reference.time for reference in references] == [Fraction("0.08"), Fraction("0.48")]
    assert references[0].picture.shape == (48, 64, 3)


def test_different_hints_are_different_settings():
    several = [(), hints("50%,50%@0.08=#b03020"), hints("50%,50%@0.12=#b03020"), hints("50%,50%@0.08=navy")]
    digests = {FilmSettings(hints=each).provenance(pipeline_of()).settings for each in several}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("50%,50%=red", "has no time, and"),
        ("50%,50%@1:00=red", "no frame at"),
        ("900,50%@0.1=red", "is outside the picture, which is 64 x 48 pixels"),
    ],
)
def test_a_hint_that_does_not_fit_is_refused(film, text, problem):
    with pytest.raises(UsageError, match=problem):
        hinted_frames(film, hints(text), lambda _time: pipeline_of())
