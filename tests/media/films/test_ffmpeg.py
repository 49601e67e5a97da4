import os
import sys

import ffmpeg as graphs
import pytest

from colorcli.errors import FfmpegMissing
from colorcli.media.films import ffmpeg
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess


@pytest.fixture
def forgetful():
    ffmpeg.find_ffmpeg.cache_clear()
    yield
    ffmpeg.find_ffmpeg.cache_clear()


def executable(folder, said):
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("forgetful")
@pytest.mark.skipif(os.name == "nt", reason="the executable is a shell script")
@pytest.mark.parametrize("version", ["6.0", "n7.1.1-12-gabc", "N-118000-gdeadbeef"])
def test_the_ffmpeg_on_the_path_is_used(tmp_path, monkeypatch, version):
    found = executable(tmp_path, f"ffmpeg version {version} Copyright (c)")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert ffmpeg.find_ffmpeg() == (str(found), "")


@pytest.mark.usefixtures("forgetful")
@pytest.mark.skipif(os.name == "nt", reason="the executable is a shell script")
def test_an_ffmpeg_that_is_too_old_is_passed_over(tmp_path, monkeypatch):
    found = executable(tmp_path, "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright (c)")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert ffmpeg.find_ffmpeg().path != str(found)


@pytest.mark.usefixtures("forgetful")
def test_a_missing_ffmpeg_is_an_error_that_tells_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(FfmpegMissing, match=r"no ffmpeg was found on the PATH.*pip install imageio-ffmpeg"):
        ffmpeg.find_ffmpeg()


def test_encoders_are_listed_with_their_codecs():
    assert ffmpeg.encoders()["libx264"] == "h264"
    assert ffmpeg.encoders()["ffv1"] == "ffv1"
    assert "aac" not in ffmpeg.encoders()


def test_a_failure_has_the_last_lines_of_stderr():
    with pytest.raises(FfmpegFailed, match="No such file or directory"):
        ffmpeg.run(["-v", "error", "-i", "nowhere.mp4", "-f", "null", "-"])


def test_many_lines_on_stderr_do_not_block():
    """64 KiB fill a pipe that nobody reads."""
    noisy = ["-v", "trace", "-f", "lavfi", "-i", "testsrc=duration=2", "-f", "null", "-"]
    with FfmpegProcess(noisy) as process:
        assert len(process.finish()) == 20


@pytest.mark.skipif(os.name == "nt", reason="processes are told of Ctrl-C in another way")
def test_ctrl_c_does_not_reach_ffmpeg():
    """The terminal sends it to the group of processes in the foreground."""
    with FfmpegProcess(["-f", "lavfi", "-re", "-i", "testsrc", "-f", "null", "-"]) as process:
        assert os.getpgid(process._process.pid) != os.getpgid(0)


def test_leaving_the_context_ends_the_process():
    with FfmpegProcess(["-f", "lavfi", "-re", "-i", "testsrc", "-f", "null", "-"]) as process:
        assert process._process.poll() is None
    assert process._process.poll() is not None


def test_file_names_are_never_options_or_protocols(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = graphs.input("color=size=16x16:duration=0.1", format="lavfi")
    for name in ("-y.mkv", "pipe:.mkv", "a%03d.mkv"):
        ffmpeg.run(ffmpeg.command(source.output(ffmpeg.url(name))))
        assert (tmp_path / name).exists()
