from dataclasses import replace
from fractions import Fraction

import av
import pytest

from colorcli.errors import UnwritableMedia
from colorcli.media.films import containers
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.probe import probe
from tests.media.films.clips import make_clip, run_ffmpeg
from tests.media.films.films import rewritten


def chosen(source, target, codec=None):
    film = probe(source)
    return choose_destination(film, target, choose_encoding(film, target.suffix, codec))


def test_a_container_that_holds_everything_is_kept(tmp_path):
    source = make_clip(tmp_path / "source.mp4", audio="aac", subtitles="mov_text")
    destination = chosen(source, tmp_path / "film.mp4")
    assert destination.path == tmp_path / "film.mp4"
    assert [each.kind for each in destination.copied] == ["audio", "subtitle"]
    assert destination.notes == ()


@pytest.mark.parametrize(
    ("options", "suffix", "reason"),
    [
        ({"subtitles": "srt"}, ".mp4", "stream 1 (subrip)"),
        ({"attachment": True}, ".mp4", "stream 1 (attachment)"),
        ({"attachment": True}, ".webm", "stream 1 (attachment)"),
        ({"audio": "aac"}, ".webm", "stream 1 (aac)"),
    ],
)
def test_matroska_is_the_fallback_with_a_note(tmp_path, options, suffix, reason):
    source = make_clip(tmp_path / "source.mkv", **options)
    destination = chosen(source, tmp_path / f"film{suffix}")
    assert destination.path == tmp_path / "film.mkv"
    assert destination.notes == (f"written as .mkv, because {suffix} cannot hold {reason}",)
    assert len(destination.copied) == 1


def test_an_encoder_that_the_container_cannot_hold_falls_back_to_matroska(tmp_path):
    destination = chosen(make_clip(tmp_path / "source.webm", codec="libvpx-vp9"), tmp_path / "film.webm", "libx264")
    assert destination.path.suffix == ".mkv"
    assert destination.notes == ("written as .mkv, because .webm cannot hold libx264",)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("avi", "mpeg4"), ("mpg", "mpeg2video"), ("wmv", "wmv2"), ("ts", "libx264")]
)
def test_older_containers_become_matroska(tmp_path, suffix, codec):
    destination = chosen(make_clip(tmp_path / f"source.{suffix}", codec=codec), tmp_path / f"film.{suffix}")
    assert destination.path == tmp_path / "film.mkv"
    assert destination.notes[0].startswith("written as .mkv, because")


def test_a_stream_that_no_container_holds_is_left_out_with_a_note(tmp_path):
    make_clip(tmp_path / "picture.mp4", 25)
    (tmp_path / "data").write_bytes(bytes(range(200)))
    inputs = ["-i", tmp_path / "picture.mp4", "-f", "data", "-i", tmp_path / "data"]
    run_ffmpeg(*inputs, "-map", 0, "-map", 1, "-c", "copy", tmp_path / "source.ts")
    destination = chosen(tmp_path / "source.ts", tmp_path / "film.mkv")
    assert destination.copied == ()
    assert destination.notes == ("stream 1 (data) left out, because .mkv cannot hold it",)
    assert rewritten(tmp_path / "source.ts", tmp_path / "film.mkv").path.exists()


def test_a_timecode_that_is_kept_as_a_tag_is_not_reported_as_left_out(tmp_path):
    picture = make_clip(tmp_path / "picture.mp4", 50)
    run_ffmpeg("-i", picture, "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "source.mov")
    destination = rewritten(tmp_path / "source.mov", tmp_path / "film.mkv")
    assert destination.notes == ()
    with av.open(destination.path) as container:
        assert container.streams.video[0].metadata["TIMECODE"] == "01:00:00:00"


def test_a_timecode_track_is_kept_in_mov(tmp_path):
    picture = make_clip(tmp_path / "picture.mp4", 50)
    run_ffmpeg("-i", picture, "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "source.mov")
    written = rewritten(tmp_path / "source.mov", tmp_path / "film.mov")
    assert [each.kind for each in probe(written.path).streams] == ["video", "data"]


def late_sound(path, seconds):
    """A film of 5 pictures a second, whose sound begins late."""
    silent = path.with_name(f"silent{path.suffix}")
    length = seconds + 2
    codec = "mpeg2video" if path.suffix == ".vob" else "libx264"
    rate = 25 if path.suffix == ".vob" else 5
    run_ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={rate}:duration={length}", "-c:v", codec, silent)
    sound = ["-itsoffset", seconds, "-f", "lavfi", "-i", "sine=duration=2:sample_rate=48000"]
    run_ffmpeg("-i", silent, *sound, "-map", 0, "-map", 1, "-c:v", "copy", "-c:a", "ac3", path)
    return path


@pytest.mark.parametrize(("suffix", "seconds"), [("ts", 12), ("m2ts", 40), ("vob", 12), ("mpg", 20)])
def test_sound_that_begins_late_is_copied(tmp_path, suffix, seconds):
    source = late_sound(tmp_path / f"source.{suffix}", seconds)
    written = rewritten(source, tmp_path / "film.mkv")
    assert [each.codec for each in written.copied] == ["ac3"]
    with av.open(written.path) as container:
        first = next(each for each in container.demux(audio=0) if each.size)
        assert abs(first.pts * first.time_base - seconds) < Fraction(1, 5)


def test_a_failure_that_is_not_a_refusal_is_an_error(tmp_path):
    film = probe(make_clip(tmp_path / "source.mkv", audio="ac3"))
    encoding = choose_encoding(film, ".mkv")
    film = replace(film, path=tmp_path / "gone.mkv")
    with pytest.raises(UnwritableMedia, match="No such file or directory"):
        choose_destination(film, tmp_path / "film.mkv", encoding)


def test_a_trial_does_not_read_on_to_a_late_subtitle(tmp_path):
    """A stream without packets in the first seconds would make ffmpeg read all of the file."""
    (tmp_path / "late.srt").write_text("1\n00:09:50,000 --> 00:09:52,000\nlate\n")
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=1:duration=600", "-i", tmp_path / "late.srt"]
    run_ffmpeg(*inputs, "-c:v", "libx264", "-c:s", "srt", tmp_path / "source.mkv")
    film = probe(tmp_path / "source.mkv")
    streams = tuple(each for each in film.streams if each.kind == "subtitle")
    with (tmp_path / "source.mkv").open("r+b") as file:
        file.truncate(file.seek(0, 2) // 2)  # what is not read cannot be missed
    assert containers._objection(film, "matroska", choose_encoding(film, ".mkv"), streams) is None


def test_the_trial_leaves_no_files(tmp_path):
    source = make_clip(tmp_path / "source.mp4", audio="aac")
    chosen(source, tmp_path / "film.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]
