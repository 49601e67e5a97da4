"""Parts of a film that several machines color, one after the other here, give the film that one machine makes."""

from dataclasses import replace
from fractions import Fraction

import pytest

from colorcli.film.distributed import SharedFilm
from colorcli.jobs import Job
from tests.film.test_colorize import (
    STOPPED,
    Counting,
    colorize,
    long_film,
    make_clip,
    panning,
    pipeline_of,
)


def shared(source, settings):
    """The film as a separate machine sees it."""
    job = Job(source, source.with_name(f"{source.stem}-color{source.suffix}"), source.name, film=True)
    return SharedFilm(pipeline_of(), job, settings, {})


def check(source, settings, tmp_path):
    """Color the parts from the last to the first, each on its own; return them and the film joined from them."""
    whole = colorize(source, settings=settings, target=tmp_path / "whole" / "a-color.mkv")
    parts = list(shared(source, settings).plan())
    assert len(parts) >= 2
    colored = [shared(source, settings).colorize(part) for part in reversed(parts)]
    assert all(part.made_before for part in shared(source, settings).plan())
    network = Counting()
    outcome = colorize(source, pipeline_of(network), settings)
    assert network.pictures == 0
    assert outcome.figures.made_before == outcome.figures.frames == sum(part.frames for part in parts)
    assert outcome.target.read_bytes() == whole.target.read_bytes()
    assert sum(each.predicted for each in colored) >= whole.figures.predicted
    assert sum(each.shots for each in colored) == whole.figures.shots
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-color.mkv", "a.mkv", "whole"]
    return parts


@pytest.mark.parametrize("settings", [STOPPED, replace(STOPPED, keyframes=4)], ids=["every frame", "key frames"])
def test_parts_between_shots_give_the_same_film(tmp_path, settings):
    parts = check(long_film(tmp_path / "a.mkv"), settings, tmp_path)
    assert not any(part.runs_on for part in parts)


def test_pieces_of_a_very_long_shot_give_the_same_film(tmp_path, monkeypatch):
    monkeypatch.setattr("colorcli.film.prepare.MAX_SHOT_SECONDS", Fraction(20))
    source = make_clip(tmp_path / "a.mkv", pictures=panning(70), fps="1", codec="ffv1")
    parts = check(source, STOPPED, tmp_path)
    assert all(part.runs_on for part in parts[1:])


def test_a_part_that_follows_another_frame_than_planned_is_made_again(tmp_path):
    source = long_film(tmp_path / "a.mkv")
    first, second, *_ = shared(source, STOPPED).plan()
    shared(source, STOPPED).colorize(replace(second, after=second.after - 1, before=first.frames - 1))
    assert [part.made_before for part in shared(source, STOPPED).plan()][:2] == [False, False]
