import json
import os
import pty
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from colorcli.media.films import ffmpeg
from colorcli.media.films.probe import probe
from tests.media.films.clips import decoded, make_clip, run_ffmpeg


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A film of eight frames with sound; tests copy it."""
    path = tmp_path_factory.mktemp("clip") / "film.mp4"
    return make_clip(path, frames=8, audio="aac").read_bytes()


@pytest.fixture
def film(tmp_path, clip):
    path = tmp_path / "film.mp4"
    path.write_bytes(clip)
    return path


@pytest.fixture
def mixed(tmp_path, clip):
    """A folder with photographs, films, and what is neither."""
    folder = tmp_path / "mixed"
    (folder / "sub").mkdir(parents=True)
    Image.linear_gradient("L").resize((40, 32)).save(folder / "a.jpg")
    (folder / "b.mp4").write_bytes(clip)
    (folder / "sub" / "c.mov").write_bytes(clip)
    (folder / "program.ts").write_text("const answer: number = 42;\n")
    (folder / "notes.txt").write_text("hello")
    return folder


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# What is written, and where


def test_a_film_is_written_beside_its_source_with_its_sound(colorcli, film):
    code, out, err = colorcli("film.mp4")
    assert (code, out, err) == (0, "", "1 colorized\n")
    before, after = probe(film), probe(film.with_name("film-color.mp4"))
    assert [(each.kind, each.codec) for each in after.streams] == [(each.kind, each.codec) for each in before.streams]
    assert len(decoded(after.path)) == 8
    assert files(film.parent) == ["film-color.mp4", "film.mp4"]


def test_films_among_photographs_in_a_folder_are_colorized(colorcli, mixed):
    assert colorcli("mixed")[0] == 0
    assert files(mixed.with_name("mixed-color")) == ["a.jpg", "b.mp4", "sub/c.mov"]
    assert colorcli("mixed")[2] == "0 colorized, 3 done before in mixed-color\n"


def test_a_dry_run_lists_films(colorcli, mixed):
    code, out, _ = colorcli("--dry-run", "mixed")
    assert code == 0
    assert out.splitlines() == [f"mixed/{name} -> mixed-color/{name}" for name in ("a.jpg", "b.mp4", "sub/c.mov")]


@pytest.mark.parametrize(
    ("name", "written"),
    [("film.avi", "film-color.mkv"), ("film", "film-color.mkv"), ("a.b.M4V", "a.b-color.M4V")],
)
def test_the_name_decides_the_container(colorcli, film, name, written):
    film.rename(film.with_name(name))
    assert colorcli(name)[0] == 0
    assert files(film.parent) == sorted([name, written])


def test_an_output_beside_its_film_is_not_an_input(colorcli, film):
    film.rename(film.with_name("film.avi"))
    colorcli("film.avi")
    code, out, _ = colorcli("--dry-run", ".", "-o", "out")
    assert (code, out) == (0, "film.avi -> out/film.mkv\n")


def test_two_films_with_the_same_output_are_an_error(colorcli, film):
    film.rename(film.with_name("film.avi"))
    film.with_name("film.mkv").write_bytes(film.with_name("film.avi").read_bytes())
    code, out, err = colorcli("--dry-run", "film.avi", "film.mkv")
    assert code == 1
    assert out == "film.avi -> film-color.mkv\n"
    assert "have the same output" in err


def test_the_output_name_of_a_film_can_be_given(colorcli, film):
    assert colorcli("film.mp4", "-o", "elsewhere/b.mkv")[0] == 0
    assert (film.parent / "elsewhere" / "b.mkv").read_bytes().startswith(b"\x1aE\xdf\xa3")


def test_several_films_go_into_a_folder(colorcli, film, clip):
    film.with_name("other.mp4").write_bytes(clip)
    assert colorcli("film.mp4", "other.mp4", "-o", "out")[0] == 0
    assert files(film.parent / "out") == ["film.mp4", "other.mp4"]


# What is said


def test_a_json_row_has_the_counts(colorcli, film):
    (row,) = rows(colorcli("--json", "film.mp4")[1])
    assert row.pop("seconds") > 0
    assert row.pop("fps") > 0
    assert row == {
        "input": "film.mp4",
        "output": "film-color.mp4",
        "model": "zhang",
        "tag": "tiny",
        "frames": 8,
        "made_before": 0,
        "predicted": 8,
        "shots": 1,
        "codec": "libx264",
        "copied": ["audio aac (fra)"],
    }
    assert rows(colorcli("--json", "film.mp4")[1])[0]["done_before"]


def test_assumptions_are_noted(colorcli, tmp_path):
    make_clip(tmp_path / "film.mp4", frames=2, matrix=None)
    assert "note: film.mp4: the color matrix is not tagged" in colorcli("film.mp4")[2]


def test_one_bad_film_never_stops_the_others(colorcli, mixed):
    (mixed / "a0.mp4").write_bytes(b"")
    (mixed / "b0.mp4").write_text("I am no film.")
    code, out, err = colorcli("--json", "mixed")
    assert code == 1
    assert {row["input"]: row["output"] is None for row in rows(out)} == {
        "mixed/a.jpg": False,
        "mixed/a0.mp4": True,
        "mixed/b.mp4": False,
        "mixed/b0.mp4": True,
        "mixed/sub/c.mov": False,
    }
    assert "a0.mp4: the file is empty" in err
    assert "b0.mp4: expected a film, got text" in err
    assert files(mixed.with_name("mixed-color")) == ["a.jpg", "b.mp4", "sub/c.mov"]


@pytest.mark.parametrize(
    "content", [b"", b"I am no film.", b"\xff\xd8\xff\xe0 a photograph"], ids=["empty", "text", "jpeg"]
)
def test_a_file_that_is_not_a_film_is_an_error_and_nothing_is_written(colorcli, tmp_path, content):
    (tmp_path / "film.mp4").write_bytes(content)
    code, _, err = colorcli("film.mp4")
    assert code == 1
    assert err.startswith("error: film.mp4: ")
    assert files(tmp_path) == ["film.mp4"]


# Options


def test_film_options_take_effect(colorcli, film):
    options = ["--codec", "mpeg4", "--crf", "5", "--start", "0:00.04", "--end", "0.24", "--keyframes", "2"]
    (row,) = rows(colorcli("--json", *options, "film.mp4")[1])
    assert (row["frames"], row["codec"], row["predicted"]) == (5, "mpeg4", 3)


def test_a_corrected_frame_is_a_reference(colorcli, film):
    colorcli("film.mp4")
    Image.new("RGB", (64, 48), (160, 60, 160)).save(film.with_name("frame@1.png"))
    assert colorcli("film.mp4", "--reference", "frame@1.png@0:00.1", "-o", "corrected.mp4")[0] == 0
    assert film.with_name("corrected.mp4").read_bytes() != film.with_name("film-color.mp4").read_bytes()


def test_a_hint_at_a_time_is_listed_and_is_a_setting(colorcli, film):
    (row,) = rows(colorcli("--json", "--hint", "50%,50%@0:00.1=#b03020", "film.mp4")[1])
    assert row["hints"] == ["50%,50%@0.1=#b03020"]
    again = ["--hint", "50%,50%@0:00.1=#b03020", "film.mp4"]
    assert "1 done before" in colorcli(*again)[2]
    assert "0 to write, 1 done before" in colorcli("--dry-run", *again)[2]
    assert "with other settings" in colorcli("film.mp4")[2]


def test_the_settings_file_accepts_film_options(colorcli, mixed, tmp_path):
    (tmp_path / "colorcli.toml").write_text('[run]\ncodec = "mpeg4"\nstart = "0.08"\nkeyframes = "auto"\n')
    assert colorcli("mixed/a.jpg")[0] == 0  # which they do not disturb
    (row,) = rows(colorcli("--json", "mixed/b.mp4")[1])
    assert (row["codec"], row["frames"]) == ("mpeg4", 6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["photo.jpg", "--codec", "av1"], "--codec applies to films"),
        (["photo.jpg", "--reference", "a.png@1"], "--reference applies to films"),
        (["photo.jpg", "-o", "b.mp4"], "is the name of a film"),
        (["film.mp4", "--format", "png"], "--format png applies to pictures"),
        (["film.mp4", "-o", "b.avi"], "must end in the suffix of a film that can be written"),
        (["film.mp4", "--start", "2", "--end", "1"], "--end must be after --start, got --start 2 --end 1"),
        (["film.mp4", "--start", "soon"], "must be a time such as 90, 1:30 or 1:02:03.5, got 'soon'"),
        (["film.mp4", "--keyframes", "0"], "must be auto or a number of frames"),
        (["film.mp4", "--keyframes", "5", "--stabilize", "off"], "--keyframes needs --stabilize flow"),
        (["film.mp4", "--reference", "a.png"], "must be FILE@TIME"),
        (["film.mp4", "film2.mp4", "--reference", "a.png@1"], "applies to a single film"),
    ],
)
def test_options_that_do_not_apply_are_rejected(colorcli, film, clip, arguments, says):
    film.with_name("film2.mp4").write_bytes(clip)
    Image.linear_gradient("L").resize((40, 32)).save(film.with_name("photo.jpg"))
    before = files(film.parent)
    code, _, err = colorcli(*arguments)
    assert code == 2
    assert says in err
    assert "\nhint: " in err
    assert files(film.parent) == before


@pytest.mark.parametrize(("option", "value"), [("--codec", "nonsense"), ("--preset", "nonsense")])
def test_settings_that_the_encoder_rejects_are_errors(colorcli, film, option, value):
    code, _, err = colorcli("film.mp4", option, value)
    assert code == 1
    assert err.startswith("error: ")
    assert value in err
    assert files(film.parent) == ["film.mp4"]


@pytest.fixture
def forgetful():
    """Nothing is remembered of the ffmpeg in use, before and after the test."""
    cached = (ffmpeg.find_ffmpeg, ffmpeg.version, ffmpeg.encoders, ffmpeg.filters)
    for each in cached:
        each.cache_clear()
    yield
    for each in cached:
        each.cache_clear()


@pytest.mark.skipif(os.name == "nt", reason="the executables are shell scripts")
@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("ffmpeg_prints", "reason"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)", "ffmpeg is version 5.1.9, and 6 or newer is needed"),
        ("ffmpeg version 4.4.2-0ubuntu0.22.04.1", "ffmpeg is version 4.4.2, and 6 or newer is needed"),
        ("error while loading shared libraries", "ffmpeg does not run"),
        (None, "no ffmpeg was found on the PATH"),
    ],
)
def test_an_unsuitable_ffmpeg_on_the_path_is_passed_over_and_v_says_why(
    colorcli, film, tmp_path, monkeypatch, ffmpeg_prints, reason
):
    programs = tmp_path / "programs"
    programs.mkdir()
    if ffmpeg_prints:
        for name in ("ffmpeg", "ffprobe"):
            (programs / name).write_text(f"#!/bin/sh\necho '{ffmpeg_prints}'\n")
            (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    code, _, err = colorcli("-v", "film.mp4")
    assert code == 0, err
    assert err.startswith("Using ")
    assert f"{reason}.\n" in err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in Unicode only")
@pytest.mark.parametrize("name", [b"na\xefve.mp4", b"\xff\xfe.mkv", b"a\x80b.ts"])
def test_names_that_are_not_utf_8_are_accepted(colorcli, tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    make_clip(tmp_path / f"plain{path.suffix}", frames=3, audio="aac").rename(path)
    code, _, err = colorcli(path.name)
    assert code == 0, err
    suffix = ".mkv" if path.suffix == ".ts" else path.suffix
    assert (tmp_path / f"{path.stem}-color{suffix}").exists()
    assert colorcli(path.name)[2].endswith("1 done before\n")


# Stopping


def process(*arguments, weights, **keywords):
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **keywords)


def long_film(path):
    """Parts of twelve frames each, at one frame a second, large enough to take a while."""
    blocks = np.random.default_rng(0).integers(0, 255, (6, 3, 4, 1), np.uint8)
    pictures = np.repeat(np.kron(blocks, np.ones((1, 240, 240, 3), np.uint8)), 12, axis=0)
    return make_clip(path, pictures=pictures, fps="1", extra=["-preset", "ultrafast"])


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise")
def test_ctrl_c_keeps_the_parts_and_says_how_to_resume(tmp_path, weights):
    long_film(tmp_path / "film.mp4")
    options = ["film.mp4", "--preset", "veryslow", "--crf", "1"]
    with process(*options, weights=weights, cwd=tmp_path) as running:
        manifest = ".film-color.mp4.parts/*/manifest.json"
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob(manifest)) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=300)
    assert running.returncode == 130, err
    assert "of 72 frames done.\nThe same command resumes after the last finished part.\n" in err
    assert files(tmp_path)[-1] == "film.mp4"
    assert not (tmp_path / "film-color.mp4").exists()
    assert list(tmp_path.glob(manifest))
    assert not [name for name in files(tmp_path) if name.endswith(".part")]


def test_a_terminal_shows_frames_per_second_time_left_and_the_shot(tmp_path, weights, film):
    terminal, standard_error = pty.openpty()
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, "film.mp4"]
    environment = os.environ | {"COLUMNS": "120", "TERM": "xterm"}
    with subprocess.Popen(command, stderr=standard_error, cwd=tmp_path, env=environment) as running:
        os.close(standard_error)
        shown = b""
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            try:
                while part := screen.read(4096):
                    shown += part
            except OSError:  # the other end is closed
                pass
    assert running.returncode == 0
    for words in (b"film.mp4", b"/8", b"fps", b"shot 1", b"1 colorized"):
        assert words in shown


# Pictures and pipes


@pytest.fixture
def scans(tmp_path):
    """Five numbered pictures."""
    (tmp_path / "scans").mkdir()
    for number in range(5):
        Image.linear_gradient("L").resize((40, 32)).rotate(3 * number).save(tmp_path / "scans" / f"{number:04}.png")
    return tmp_path / "scans"


def test_numbered_pictures_are_a_film(colorcli, scans):
    (row,) = rows(colorcli("--json", "scans/%04d.png")[1])
    assert (row["frames"], row["output"]) == (5, "scans-color/%04d.png")
    assert files(scans.with_name("scans-color")) == [f"{number:04}.png" for number in range(5)] + ["colorcli.xmp"]
    assert rows(colorcli("--json", "scans/%04d.png")[1])[0]["done_before"]


def test_a_folder_is_a_film_where_a_rate_is_given(colorcli, scans):
    assert colorcli("scans", "--fps", "16", "-o", "film.mkv")[0] == 0
    assert probe(scans.with_name("film.mkv")).frame_rate == 16
    assert colorcli("scans", "-o", "photographs")[0] == 0
    assert files(scans.with_name("photographs")) == [f"{number:04}.png" for number in range(5)]


def test_a_film_becomes_numbered_pictures(colorcli, film):
    assert colorcli("film.mp4", "-o", "frames/%03d.tif")[0] == 0
    assert files(film.with_name("frames")) == [f"{number:03}.tif" for number in range(1, 9)] + ["colorcli.xmp"]


@pytest.mark.parametrize("rate", ["0", "fast", "1/0", "99999"])
def test_a_wrong_rate_is_an_error(colorcli, scans, rate):
    code, _, err = colorcli("scans", "--fps", rate)
    assert code == 2
    assert "must be frames per second" in err


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv422p", "gray"])
def test_a_film_passes_through_a_pipe_with_its_luma(tmp_path, weights, pix_fmt):
    make_clip(tmp_path / "source.mkv", 6, codec="ffv1", pix_fmt=pix_fmt)
    run_ffmpeg("-i", tmp_path / "source.mkv", "-strict", -1, "-f", "yuv4mpegpipe", tmp_path / "source.y4m")
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, "-"]
    with (tmp_path / "source.y4m").open("rb") as stdin, (tmp_path / "film.y4m").open("wb") as stdout:
        done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    before, after = decoded(tmp_path / "source.y4m"), decoded(tmp_path / "film.y4m")
    assert [time for time, _ in before] == [time for time, _ in after]
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(before, after, strict=True))


def test_a_film_is_written_to_a_pipe(tmp_path, weights, film):
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, "film.mp4", "-o", "-"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, check=True)
    (tmp_path / "film.y4m").write_bytes(done.stdout)
    assert [
        np.array_equal(one[1], other[1])
        for one, other in zip(decoded(film), decoded(tmp_path / "film.y4m"), strict=True)
    ]
    assert files(tmp_path) == ["film.mp4", "film.y4m"]


def test_verbose_prints_what_decodes_the_film(colorcli, film):
    """Only if a card may do it: otherwise the CPU always does."""
    code, _, err = colorcli("film.mp4", "-v", "--hwaccel", "auto")
    assert code == 0
    assert "Decoding film.mp4 " in err
    assert "Decoding" not in colorcli("film.mp4", "-v", "--overwrite")[2]
