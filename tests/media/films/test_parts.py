import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from colorcli.errors import UnwritableMedia
from colorcli.media.films import parts as parting
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip
from tests.media.films.films import PROVENANCE, chroma

SHOT = 8


class Killed(BaseException):
    """Stands for whatever ends a run."""


def colorize(source, target, *, stop=None, provenance=PROVENANCE, min_seconds=Fraction(1, 4), crf=None, **cut):
    """Color a film in shots of eight frames; return how many frames earlier runs had done."""
    film = probe(source)
    encoding = choose_encoding(film, target.suffix, crf=crf)
    destination = choose_destination(film, target, encoding, **cut)
    with Parts(film, destination, encoding, provenance, min_seconds=min_seconds) as parts:
        done = parts.frames
        with read_frames(film, after=parts.after, number=done, **cut) as reader:
            for frame in reader:
                if frame.number == stop:
                    raise Killed
                if frame.number % SHOT == 0:
                    parts.end_shot()
                parts.write(frame.luma, *chroma(film, frame.number), frame.time)
        parts.finish()
    return done


@pytest.fixture
def source(tmp_path):
    return make_clip(tmp_path / "source.mp4", 50, vfr=True, audio="aac", scenes=3)


def test_a_film_written_in_parts_has_every_frame_at_its_time(tmp_path, source):
    colorize(source, tmp_path / "film.mp4")
    assert [time for time, _ in decoded(tmp_path / "film.mp4")] == [time for time, _ in decoded(source)]
    assert read_provenance(tmp_path / "film.mp4") == PROVENANCE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "source.mp4"]


@pytest.mark.parametrize("stop", [1, 9, 25, 49])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_resumed_film_is_identical_byte_for_byte(tmp_path, source, stop, suffix):
    colorize(source, tmp_path / f"whole.{suffix}")
    target = tmp_path / f"film.{suffix}"
    with pytest.raises(Killed):
        colorize(source, target, stop=stop)
    assert not target.exists()
    assert colorize(source, target) == stop // SHOT * SHOT
    assert target.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_a_film_stopped_at_every_shot_is_identical(tmp_path, source):
    colorize(source, tmp_path / "whole.mp4")
    for stop in range(SHOT + 1, 50, SHOT):
        with pytest.raises(Killed):
            colorize(source, tmp_path / "film.mp4", stop=stop)
    colorize(source, tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_ended_by_a_signal_resumes(tmp_path, source, how):
    script = f"""
        import time
        from fractions import Fraction
        from pathlib import Path
        from tests.media.films import test_parts as here

        def slow(film, number):
            if number == 30:
                print("now", flush=True)
                time.sleep(60)
            return plain(film, number)

        plain, here.chroma = here.chroma, slow
        here.colorize(Path({str(source)!r}), Path({str(tmp_path / "film.mp4")!r}))
    """
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout.readline().startswith(b"now")
        run.send_signal(how)
    colorize(source, tmp_path / "whole.mp4")
    assert colorize(source, tmp_path / "film.mp4") == 24
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_section_resumes_too(tmp_path, source):
    cut = {"start": Fraction(1, 2), "end": Fraction(7, 4)}
    colorize(source, tmp_path / "whole.mp4", **cut)
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=20, **cut)
    assert colorize(source, tmp_path / "film.mp4", **cut) == 16
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        {"provenance": replace(PROVENANCE, settings="other")},
        {"provenance": replace(PROVENANCE, tag="starter")},
        {"crf": 30},
        {"start": Fraction(1, 10)},
    ],
    ids=str,
)
def test_parts_made_with_other_settings_are_ignored(tmp_path, source, other):
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=30, **other)
    assert colorize(source, tmp_path / "film.mp4") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "source.mp4"]


def test_parts_of_another_source_are_ignored(tmp_path, source):
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=30)
    make_clip(source, 50, scenes=2)
    assert colorize(source, tmp_path / "film.mp4") == 0


def test_parts_made_by_another_ffmpeg_are_ignored(tmp_path, source, monkeypatch):
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=30)
    monkeypatch.setattr(parting.ffmpeg, "version", lambda: "ffmpeg version 99")
    assert colorize(source, tmp_path / "film.mp4") == 0


@pytest.mark.parametrize("damage", ["shorter", "gone", "manifest"])
def test_damaged_parts_are_made_again(tmp_path, source, damage):
    colorize(source, tmp_path / "whole.mp4")
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=30)
    (manifest,) = tmp_path.glob(".film.mp4.parts/*/manifest.json")
    second = manifest.with_name(json.loads(manifest.read_text())["parts"][1]["name"])
    if damage == "shorter":
        second.write_bytes(second.read_bytes()[:-1])
    elif damage == "gone":
        second.unlink()
    else:
        manifest.write_text(manifest.read_text()[:-20])
    assert colorize(source, tmp_path / "film.mp4") == (0 if damage == "manifest" else SHOT)
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_run_stopped_before_the_first_part_leaves_nothing(tmp_path, source):
    with pytest.raises(Killed):
        colorize(source, tmp_path / "film.mp4", stop=5)
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_a_run_stopped_while_joining_only_joins_again(tmp_path, source, monkeypatch):
    def full(*_):
        raise UnwritableMedia("film.mp4: there is no room left on the disk.")

    with monkeypatch.context() as patched:
        patched.setattr(parting, "join", full)
        with pytest.raises(UnwritableMedia):
            colorize(source, tmp_path / "film.mp4")
    assert colorize(source, tmp_path / "film.mp4") == 50
    assert len(decoded(tmp_path / "film.mp4")) == 50


def test_parts_have_a_minimum_duration(tmp_path, source):
    with contextlib.suppress(Killed):
        colorize(source, tmp_path / "film.mp4", stop=49, min_seconds=Fraction(6, 10))
    (manifest,) = tmp_path.glob(".film.mp4.parts/*/manifest.json")
    assert [part["frames"] for part in json.loads(manifest.read_text())["parts"]] == [16, 16, 16]


def test_a_section_without_frames_is_an_error(tmp_path, source):
    with pytest.raises(UnwritableMedia, match="no frame to write"):
        colorize(source, tmp_path / "film.mp4", start=Fraction(30))
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_the_second_of_two_runs_with_one_output_is_an_error(tmp_path, source):
    film = probe(source)
    encoding = choose_encoding(film, ".mp4")
    destination = choose_destination(film, tmp_path / "film.mp4", encoding)
    another = pytest.raises(UnwritableMedia, match=r"film\.mp4: another run is writing it")
    with Parts(film, destination, encoding, PROVENANCE), another:
        colorize(source, tmp_path / "film.mp4")
    assert colorize(source, tmp_path / "film.mp4") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "source.mp4"]


@pytest.mark.parametrize("length", [250, 245, 100])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path, source, length):
    target = tmp_path / f"{'f' * (length - 4)}.mkv"
    with pytest.raises(Killed):
        colorize(source, target, stop=30)
    assert colorize(source, target) == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, "source.mp4"]
