import pytest

from colorcli.errors import UsageError
from colorcli.media.films.codecs import Encoding, choose_encoding
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
    picture = make_clip(tmp_path / "picture.mp4", 50)
    run_ffmpeg("-i", picture, "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "source.mov")
    destination = chosen(tmp_path / "source.mov", tmp_path / "film.mkv")
    assert destination.copied == ()
    assert destination.notes == ("stream 1 (data) left out, because .mkv cannot hold it",)
    assert rewritten(tmp_path / "source.mov", tmp_path / "film.mkv").path.exists()


def test_a_timecode_track_is_kept_in_mov(tmp_path):
    picture = make_clip(tmp_path / "picture.mp4", 50)
    run_ffmpeg("-i", picture, "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "source.mov")
    written = rewritten(tmp_path / "source.mov", tmp_path / "film.mov")
    assert [each.kind for each in probe(written.path).streams] == ["video", "data"]


def test_settings_that_the_encoder_rejects_fail_before_the_run(tmp_path):
    film = probe(make_clip(tmp_path / "source.mp4"))
    encoding = Encoding("libx264", {"crf": 18, "preset": "ludicrous"}, "yuv420p")
    with pytest.raises(UsageError, match="libx264 cannot encode 64 x 48 pixels with these settings"):
        choose_destination(film, tmp_path / "film.mp4", encoding)


def test_the_trial_leaves_no_files(tmp_path):
    source = make_clip(tmp_path / "source.mp4", audio="aac")
    chosen(source, tmp_path / "film.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]
