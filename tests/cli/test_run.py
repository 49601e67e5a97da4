import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.media.pictures.provenance import read_provenance
from colorcli.weights import Header, write_state
from tests.site_packages import SitePackages, working


def process(*args, weights, **keywords):
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


def gray(path, seed=0, size=(40, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(40, 200, (size[1] // 8, size[0] // 8), np.uint8)
    Image.fromarray(np.kron(noise, np.ones((8, 8), np.uint8))).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    for n, name in enumerate(["a.jpg", "b.png", "sub/a.jpg", "sub/deep/c.tif"]):
        gray(tmp_path / "photos" / name, n)
    return tmp_path / "photos"


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def is_colored(path):
    with Image.open(path) as image:
        return image.mode == "RGB" and np.ptp(np.asarray(image).astype(int), axis=2).max() > 3


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


# What is written, and where


def test_the_output_of_a_file_is_next_to_it(colorcli, tmp_path):
    gray(tmp_path / "a.jpg")
    assert colorcli("a.jpg") == (0, "", "1 colorized\n")
    assert is_colored(tmp_path / "a-color.jpg")
    assert files(tmp_path) == ["a-color.jpg", "a.jpg"]


def test_a_folder_is_mirrored_and_never_flattened(colorcli, photos):
    assert colorcli("photos")[0] == 0
    assert files(photos.with_name("photos-color")) == files(photos)


def test_a_complete_run_has_nothing_left_to_do(colorcli, photos):
    colorcli("photos")
    assert colorcli("photos") == (0, "", "0 colorized, 4 done before in photos-color\n")


def test_a_recolored_picture_keeps_only_its_lightness(colorcli, tmp_path):
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "red.png")
    colorcli("red.png", "--recolor", "--strength", "0")
    red, green, blue = Image.open(tmp_path / "red-color.png").getpixel((5, 5))
    assert max(red, green, blue) - min(red, green, blue) <= 1


def test_another_format_can_be_written(colorcli, photos):
    assert colorcli("photos", "-o", "out", "--format", "png")[0] == 0
    assert {path.rsplit(".")[-1] for path in files(photos.with_name("out"))} == {"png"}


def test_an_output_folder_within_the_input_is_not_colored_again(colorcli, photos):
    for _ in range(2):
        assert colorcli("photos", "-o", "photos/out")[0] == 0
    assert [name for name in files(photos) if name.startswith("out")] == [
        "out/a.jpg",
        "out/b.png",
        "out/sub/a.jpg",
        "out/sub/deep/c.tif",
    ]


@pytest.mark.parametrize("name", ["two words.png", "two\nlines.png", "写真.png", "Фото.jpg", "-dash.png", "%s{0}.png"])
def test_a_file_may_have_any_name(colorcli, tmp_path, name):
    gray(tmp_path / "in" / name)
    code, out, err = colorcli("in", "--json")
    assert code == 0
    (row,) = rows(out)
    assert row["input"] == f"in/{name}"
    assert is_colored(tmp_path / row["output"])
    assert "\n" not in err.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text need a file system that allows them")
def test_a_file_name_that_is_not_valid_text_is_colored_and_reported(colorcli, tmp_path):
    gray(tmp_path / "a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "in" / os.fsdecode(b"\xff\xfe.png"))
    assert colorcli("in", "--dry-run")[0] == 0
    code, out, _ = colorcli("in", "--json")
    assert code == 0
    assert os.fsencode(rows(out)[0]["output"]) == b"in-color/\xff\xfe.png"
    assert is_colored(tmp_path / rows(out)[0]["output"])


# What is told


def test_json_has_a_line_for_each_picture(colorcli, photos):
    code, out, err = colorcli("photos", "--json")
    assert code == 0
    assert [row["input"] for row in rows(out)] == [f"photos/{name}" for name in files(photos)]
    for row in rows(out):
        assert row.keys() == {"input", "output", "model", "tag", "seconds"}
        assert (row["model"], row["tag"]) == ("zhang", "tiny")
        assert row["seconds"] > 0
    assert err == "4 colorized in photos-color\n"
    assert all(row["done_before"] for row in rows(colorcli("photos", "--json")[1]))


def test_a_bad_file_is_reported_and_counted_and_the_rest_are_done(colorcli, photos):
    (photos / "b.png").write_bytes(b"no picture")
    (photos / "gone.png").symlink_to(photos / "nowhere.png")
    code, out, err = colorcli("photos", "--json")
    assert code == 1
    failed = {row["input"]: row["error"] for row in rows(out) if "error" in row}
    assert failed.keys() == {"photos/b.png", "photos/gone.png"}
    assert all(row["output"] is None for row in rows(out) if "error" in row)
    assert "error: photos/b.png: this is" in err
    assert err.endswith("3 colorized, 2 failed in photos-color\n")


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read everything")
def test_unreadable_files_are_reported_and_the_rest_are_done(colorcli, photos):
    (photos / "a.jpg").chmod(0)
    (photos / "sub").chmod(0)
    code, _, err = colorcli("photos")
    (photos / "sub").chmod(0o755)
    assert code == 1
    assert "photos/a.jpg: Permission denied" in err
    assert "photos/sub: Permission denied" in err
    assert "1 colorized, 2 failed" in err


def test_a_folder_without_pictures_is_reported(colorcli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert colorcli("empty") == (0, "", "no pictures or films found\n")


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(colorcli, photos, tmp_path):
    before = files(tmp_path)
    code, out, _ = colorcli("photos", "--dry-run")
    assert code == 0
    assert "photos/sub/a.jpg -> photos-color/sub/a.jpg\n" in out
    assert len(out.splitlines()) == 4
    code, out, _ = colorcli("photos", "--dry-run", "--json")
    assert {"input": "photos/b.png", "output": "photos-color/b.png"} in rows(out)
    assert files(tmp_path) == before


def test_a_dry_run_distinguishes_what_is_done_from_what_would_be_written(colorcli, photos):
    assert colorcli("photos", "--dry-run")[2] == "4 to write\n"
    colorcli("photos")
    (photos.with_name("photos-color") / "b.png").unlink()
    assert colorcli("photos", "--dry-run") == (
        0,
        "photos/b.png -> photos-color/b.png\n",
        "1 to write, 3 done before\n",
    )
    done = [row["input"] for row in rows(colorcli("photos", "--dry-run", "--json")[1]) if row.get("done_before")]
    assert done == ["photos/a.jpg", "photos/sub/a.jpg", "photos/sub/deep/c.tif"]
    later = time.time() + 60
    os.utime(photos / "a.jpg", (later, later))
    assert "photos/a.jpg -> " in colorcli("photos", "--dry-run")[1]


def test_a_dry_run_reports_outputs_that_it_would_not_replace(colorcli, photos):
    colorcli("photos/b.png")
    code, out, err = colorcli("photos/b.png", "--strength", "0.5", "--dry-run")
    assert (code, out) == (1, "")
    assert err == (
        "error: photos/b-color.png was made by zhang.tiny with other settings.\n"
        "hint: Replace it with --overwrite, or write to another place with -o.\n"
        "0 to write, 1 failed\n"
    )
    assert colorcli("photos/b.png", "--strength", "0.5", "--dry-run", "--overwrite")[2] == "1 to write\n"


def test_a_dry_run_lists_samples_and_entropy(colorcli, photos):
    colorcli("photos/b.png", "--samples", "1")
    assert colorcli("photos/b.png", "--samples", "2", "--explain", "--dry-run")[2] == "2 to write, 1 done before\n"


def test_many_outputs_of_other_settings_are_one_error_and_a_count(colorcli, photos):
    colorcli("photos")
    code, out, err = colorcli("photos", "--strength", "0.5", "--json")
    assert code == 1
    assert err.splitlines() == [
        "error: photos-color/a.jpg was made by zhang.tiny with other settings.",
        "hint: Replace it with --overwrite, or write to another place with -o.",
        "error: 3 more outputs already exist. List all with -v.",
        "0 colorized, 4 failed in photos-color",
    ]
    assert [("error" in row) for row in rows(out)] == [True] * 4
    assert colorcli("photos", "--strength", "0.5", "-v")[2].count("with other settings") == 4


def test_quiet_prints_errors_only(colorcli, photos):
    assert colorcli("photos", "--quiet") == (0, "", "")
    assert colorcli("photos", "-q", "--dry-run") == (0, "", "")
    (photos / "b.png").write_bytes(b"no picture")
    code, out, err = colorcli("photos", "-q")
    assert (code, out) == (1, "")
    assert all(line.startswith(("error: photos/b.png", "hint: ")) for line in err.splitlines())


# Parts of the work


def test_shards_are_disjoint_and_together_complete(colorcli, tmp_path):
    for n in range(20):
        gray(tmp_path / "photos" / f"{n}.png", n)
    shards = [colorcli("photos", "--dry-run", "--shard", f"{i}/3")[1].splitlines() for i in (1, 2, 3)]
    assert all(shards)
    assert sorted(line for shard in shards for line in shard) == sorted(
        colorcli("photos", "--dry-run")[1].splitlines()
    )


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/", "-1/3", "1/3/5", ""])
def test_an_invalid_shard_is_a_usage_error(colorcli, photos, shard):
    code, _, err = colorcli("photos", "--shard", shard)
    assert code == 2
    assert "must be I/N with 1 <= I <= N, such as 1/4" in err


# Wrong usage


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["-p", "temperature"], "-p must be followed by NAME=VALUE, got 'temperature'."),
        (["-p", "temperature=hot"], "-p temperature must be a number from 0 to 2, got hot."),
        (["-p", "temperature=9"], "-p temperature must be a number from 0 to 2, got 9.0."),
        (["-p", "temprature=1"], "zhang has no option 'temprature'."),
        (["--strength", "2"], "--strength"),
        (["--batch-size", "0"], "--batch-size"),
        (["--precision", "fp8"], "--precision"),
        (["-m", "zhan"], "Colorizer not found: zhan."),
        (["-m", "zhan", "--dry-run"], "Colorizer not found: zhan."),
        (["-m", "zhang.eccv17", "--weights", "eccv17"], "no weights 'eccv17'"),
        (["-m", "zhang.eccv16"], "contradict each other"),
        (["-m", "."], "A model must be COLORIZER or COLORIZER.TAG, got '.'."),
        (["--format", "psd"], "'psd' is not a picture format"),
        (["-"], "- reads one picture or film from standard input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_exits_with_2_says_why_and_writes_nothing(colorcli, photos, args, reason):
    code, out, err = colorcli("photos", *args)
    assert code == 2
    assert out == ""
    assert reason in err
    assert not photos.with_name("photos-color").exists()


def test_a_missing_weights_file_is_an_error(colorcli, photos):
    code, _, err = colorcli("photos", "--weights", "none.safetensors")
    assert code == 1
    assert err == "error: Weights file not found: none.safetensors.\n"


def test_an_input_that_does_not_exist_is_an_error_and_the_rest_are_done(colorcli, photos):
    code, _, err = colorcli("nothing.jpg", "photos/a.jpg")
    assert code == 1
    assert "File or folder not found: nothing.jpg" in err
    assert "1 colorized, 1 failed" in err


def test_a_large_picture_is_refused_unless_allowed(colorcli, photos):
    code, _, err = colorcli("photos/a.jpg", "--max-pixels", "1000")
    assert code == 1
    assert "--max-pixels 1280" in err
    assert colorcli("photos/a.jpg", "--max-pixels", "1280")[0] == 0


def test_options_reach_the_colors(colorcli, photos, tmp_path):
    for temperature in ("0.05", "2"):
        assert colorcli("photos/b.png", "-o", f"{temperature}.png", "-p", f"temperature={temperature}")[0] == 0
    assert (tmp_path / "0.05.png").read_bytes() != (tmp_path / "2.png").read_bytes()
    assert read_provenance(tmp_path / "2.png").tag == "tiny"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "https://example.com/a.jpg",
            "https://example.com/a.jpg is a URL, not a file.\nhint: Download it first: curl",
        ),
        ("ftp://example.com/b.tif", "ftp://example.com/b.tif is a URL, not a file."),
        ("sub/nothing.png", "File or folder not found: sub/nothing.png."),
        ("x" * 300 + ".jpg", ".jpg: File name too long."),
        ("/dev/zero", "/dev/zero is a device, not a file or folder."),
        ("named-pipe", "named-pipe is a pipe, not a file or folder."),
        ("socket", "socket is a socket, not a file or folder."),
        ("loop", "loop: Too many levels of symbolic links."),
        ("broken", "broken: broken link."),
    ],
)
def test_an_input_that_is_not_a_file_is_an_error_and_the_rest_are_done(colorcli, photos, tmp_path, name, message):
    os.mkfifo("named-pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        code, _, err = colorcli(name, "photos/b.png")
    assert code == 1
    assert message in err
    assert "1 colorized, 1 failed" in err
    assert "Traceback" not in err


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0 and not shutil.which("setpriv"), reason="root may read everything"
)
@pytest.mark.parametrize(
    ("locked", "given"), [("b.png", "b.png"), ("sub", "sub/a.jpg"), ("sub", "sub"), ("sub", "sub/deep")]
)
def test_a_locked_input_is_an_error_and_the_rest_are_done(photos, weights, locked, given):
    (photos / locked).chmod(0)
    drop = "-dac_override,-dac_read_search"
    prefix = ["setpriv", f"--inh-caps={drop}", f"--bounding-set={drop}"] if os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-m", "colorcli", "run", "--weights", weights, "--device", "cpu"]
    done = subprocess.run(
        [*command, "a.jpg", given, "-o", "out"], cwd=photos, capture_output=True, text=True, check=False
    )
    (photos / locked).chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {given}: Permission denied.\n") or f"\nerror: {given}: " in done.stderr
    assert "1 colorized, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert is_colored(photos / "out" / "a.jpg")


def test_debug_shows_the_traceback_of_a_files_error(photos, weights, monkeypatch, capsys):
    def broken(*_args, **_keywords):
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr("colorcli.inference.batch.write_picture", broken)
    command = ["run", "--device", "cpu", "--weights", weights, str(photos / "a.jpg")]
    assert main(command) == 1
    quiet = capsys.readouterr().err
    assert "a.jpg: ZeroDivisionError: in the middle.\nhint: This is a bug. Run `colorcli --debug run`" in quiet
    assert "Traceback" not in quiet
    assert main(["--debug", *command]) == 1
    assert "in broken\n" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"no picture", b"", b"\x89PNG\r\n\x1a\n"])
def test_debug_shows_where_a_damaged_file_was_refused(photos, weights, capsys, damage):
    (photos / "b.png").write_bytes(damage)
    assert main(["--debug", "run", "--device", "cpu", "--weights", weights, str(photos)]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last):" in err
    assert "UnreadableMedia" in err


def test_weights_choose_the_colorizer_that_they_name(photos, tmp_path, monkeypatch, capsys):
    packages = SitePackages(tmp_path / "site-packages")
    packages.add("colorcli-sunset", working("sunset"), "sunset")
    monkeypatch.syspath_prepend(packages.folder)
    path = tmp_path / "mine.safetensors"
    write_state(path, {}, Header(colorizer="sunset", tag="mine"))
    assert main(["run", "--weights", str(path), str(photos / "b.png"), "--dry-run"]) == 0
    assert main(["run", "--weights", str(path), str(photos / "b.png"), "--dry-run", "-p", "no=1"]) == 0
    write_state(path, {}, Header(colorizer="sunrise", tag="mine"))
    assert main(["run", "--weights", str(path), str(photos / "b.png"), "--dry-run"]) == 2
    assert "sunrise" in capsys.readouterr().err


# Pipes


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("pipe", ["<(cat b.png)", "<(sleep 0.2; cat b.png)", "/dev/stdin"])
def test_a_pipe_is_read_like_a_file(photos, weights, pipe):
    command = f"cat b.png | {sys.executable} -m colorcli run --device cpu --weights {weights} {pipe} -o out.png"
    done = subprocess.run(["bash", "-c", command], cwd=photos, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "1 colorized\n")
    assert is_colored(photos / "out.png")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_pipe_needs_an_output(photos, weights):
    command = f"{sys.executable} -m colorcli run --weights {weights} <(cat b.png)"
    done = subprocess.run(["bash", "-c", command], cwd=photos, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is a pipe, so it needs an output name.\nhint: Name the output with -o." in done.stderr


# Standard input and output


def test_standard_input_goes_to_standard_output(photos, weights, tmp_path):
    with (photos / "b.png").open("rb") as stdin:
        running = process("-", weights=weights, stdin=stdin)
        out, err = running.communicate()
    assert (running.returncode, err) == (0, b"")
    (tmp_path / "out.png").write_bytes(out)
    assert is_colored(tmp_path / "out.png")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_an_error_and_not_a_traceback(photos, weights):
    command = [sys.executable, "-m", "colorcli", "run", "--device", "cpu", "--weights", weights, "-"]
    with (photos / "b.png").open("rb") as stdin, open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(command, stdin=stdin, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: standard output: No space left on device.\n"


# A machine that lets one down


def test_a_full_disk_is_reported_and_leaves_no_partial_files(tmp_path, weights):
    gray(tmp_path / "photos" / "small.png")
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "large.png")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    running = process(tmp_path / "photos", weights=weights, preexec_fn=limit)
    _, err = running.communicate()
    assert running.returncode == 1
    assert b"large.png: no space left on the disk" in err
    assert b"1 colorized, 1 failed" in err
    assert files(tmp_path / "photos-color") == ["small.png"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_a_run_like_ctrl_c(tmp_path, weights, number):
    first = gray(tmp_path / "photos" / "0.png", size=(800, 600))
    for n in range(1, 300):  # more than can be done before the signal arrives
        shutil.copy(first, tmp_path / "photos" / f"{n}.png")
    running = process(tmp_path / "photos", "--json", weights=weights)
    running.stdout.readline()
    running.send_signal(number)
    _, err = running.communicate(timeout=300)
    assert running.returncode == 128 + number
    assert b"Run the same command to resume." in err
    assert all(name.endswith(".png") for name in files(tmp_path / "photos-color"))


def test_a_second_ctrl_c_ends_a_run_at_once(tmp_path, weights):
    first = gray(tmp_path / "photos" / "0.png", size=(2400, 1600))
    for n in range(1, 30):
        shutil.copy(first, tmp_path / "photos" / f"{n}.png")
    running = process(tmp_path / "photos", "--json", weights=weights)
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert running.returncode == 130
    assert b"Traceback" not in err
    assert all(name.endswith(".png") for name in files(tmp_path / "photos-color"))


def test_ctrl_c_stops_cleanly_and_the_next_run_completes_the_rest(tmp_path, weights):
    first = gray(tmp_path / "photos" / "0.png", size=(1600, 1200))
    for n in range(1, 300):
        shutil.copy(first, tmp_path / "photos" / f"{n}.png")
    running = process(tmp_path / "photos", "--json", weights=weights)
    for _ in range(3):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert running.returncode == 130
    assert b"Run the same command to resume." in err
    assert b"Traceback" not in err
    done = files(tmp_path / "photos-color")
    assert 3 <= len(done) < 300
    assert all(name.endswith(".png") for name in done)  # and no .part
    for path in (tmp_path / "photos").iterdir():
        if path.name not in done[:2] and path.name not in {"298.png", "299.png"}:
            path.unlink()  # the rest of the rest would tell no more
    again = process(tmp_path / "photos", weights=weights)
    _, err = again.communicate()
    assert again.returncode == 0
    assert b"done before" in err
    assert {"298.png", "299.png"} <= set(files(tmp_path / "photos-color"))


def test_a_reader_that_stops_early_is_not_an_error(photos, weights):
    running = process(photos, "--json", weights=weights)
    running.stdout.close()
    err = running.stderr.read()
    running.wait()
    assert running.returncode == 1
    assert b"Traceback" not in err


def test_the_first_run_without_a_model_mentions_the_best_one_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    gray(tmp_path / "photo.png")
    for _ in range(2):
        assert main(["run", "--dry-run", str(tmp_path / "photo.png")]) == 0
    assert capsys.readouterr().err.count("`--model ddcolor` has better colors") == 1


# Taming


def test_taming_changes_colors_and_is_a_setting(tmp_path, capsys):
    gray(tmp_path / "a.png")
    run = ["run", "--model", "zhang.starter", str(tmp_path / "a.png")]
    colors = []
    for options in ([], ["--tame-shadows", "1"]):
        assert main([*run, *options, "--overwrite"]) == 0
        with Image.open(tmp_path / "a-color.png") as image:
            colors.append(np.asarray(image))
    assert not np.array_equal(*colors)
    assert main([*run, "--tame-splashes", "0.5"]) == 1
    assert "with other settings" in capsys.readouterr().err


def test_a_picture_that_stays_gray_gets_a_note(colorcli, tmp_path):
    Image.new("L", (40, 32), 128).save(tmp_path / "a.png")
    code, out, _ = colorcli("--json", "--strength", "1", "a.png")
    assert code == 0
    notes = rows(out)[0].get("notes", {})
    with Image.open(tmp_path / "a-color.png") as image:
        pixels = np.asarray(image).astype(int)
    is_gray = np.abs(pixels - pixels.mean(axis=-1, keepdims=True)).max() < 6
    assert ("left gray" in notes) == bool(is_gray)


# Mixtures


def test_a_mixture_colors_a_photograph_and_is_recorded(tmp_path, capsys):
    gray(tmp_path / "a.png")
    assert main(["run", "--json", "--model", "zhang.starter+iizuka.starter", str(tmp_path / "a.png")]) == 0
    assert is_colored(tmp_path / "a-color.png")
    assert "zhang.starter+iizuka.starter" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--samples", "2"], ["--explain"]])
def test_mixtures_have_no_samples_and_no_entropy(tmp_path, capsys, option):
    gray(tmp_path / "a.png")
    assert main(["run", *option, "--model", "zhang.starter+iizuka.starter", str(tmp_path / "a.png")]) == 2
    assert f"{option[0]} is not available for mixtures." in capsys.readouterr().err


# Hints


def test_a_hint_on_the_command_line_colors_its_place_and_is_listed(colorcli, tmp_path):
    Image.new("L", (40, 32), 110).save(tmp_path / "a.png")
    code, out, _ = colorcli("--json", "--hint", "10,8=#b03020", "a.png")
    assert code == 0
    (row,) = rows(out)
    assert row["hints"] == ["26.25%,26.5625%=#b03020"]
    assert row["notes"]["hints"].startswith("#b03020 at 26.25%,26.5625% becomes #")
    with Image.open(tmp_path / "a-color.png") as image:
        red, _, blue = np.asarray(image)[8, 10].astype(int)
    assert red > blue + 60


def test_different_hints_are_different_settings(colorcli, tmp_path):
    gray(tmp_path / "a.png")
    colorcli("--hint", "10,8=#b03020", "a.png")
    assert "1 done before" in colorcli("--hint", "10,8=#b03020", "a.png")[2]
    assert "0 to write, 1 done before" in colorcli("--dry-run", "--hint", "10,8=#b03020", "a.png")[2]
    for other in (["--hint", "10,8=#b03021"], []):
        for dry in ([], ["--dry-run"]):
            code, _, err = colorcli(*dry, *other, "a.png")
            assert code == 1
            assert "with other settings" in err


def test_a_file_gives_every_picture_of_a_folder_its_hints(colorcli, photos, tmp_path):
    (tmp_path / "hints.csv").write_text("picture,x,y,color\nsub/a.jpg,50%,50%,navy\nb.png,3,4,red\n", encoding="utf-8")
    code, out, _ = colorcli("--json", "--hints", "hints.csv", "photos")
    assert code == 0
    hints = {row["input"]: row.get("hints") for row in rows(out)}
    assert hints == {
        "photos/a.jpg": None,
        "photos/b.png": ["8.75%,14.0625%=#ff0000"],
        "photos/sub/a.jpg": ["50%,50%=#000080"],
        "photos/sub/deep/c.tif": None,
    }


def test_strokes_on_a_transparent_picture_are_hints(colorcli, tmp_path):
    Image.new("L", (40, 32), 110).save(tmp_path / "a.png")
    strokes = Image.new("RGBA", (40, 32), (0, 0, 0, 0))
    strokes.paste((176, 48, 32, 255), (5, 5, 12, 8))
    strokes.save(tmp_path / "strokes.png")
    code, out, _ = colorcli("--json", "--hints", "strokes.png", "a.png")
    assert code == 0
    assert rows(out)[0]["hints"]
    with Image.open(tmp_path / "a-color.png") as image:
        red, _, blue = np.asarray(image)[6, 8].astype(int)
    assert red > blue + 60


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--hint", "10=#b03020", "photos"], "A hint must be X,Y=COLOR"),
        (["--hint", "10,10=red", "photos"], "for a single picture, but there are 4"),
        (["--hints", "missing.csv", "photos"], "missing.csv"),
        (["--hints", "wrong.csv", "photos"], "Hints refer to c.jpg, which is not among the inputs"),
    ],
)
def test_hints_that_cannot_be_used_are_refused_before_anything_is_written(colorcli, photos, tmp_path, args, problem):
    (tmp_path / "wrong.csv").write_text("picture,x,y,color\nc.jpg,1,1,red\n", encoding="utf-8")
    code, _, err = colorcli(*args)
    assert code == 2
    assert problem in err
    assert not (tmp_path / "photos-color").exists()


def test_shards_may_have_hints_for_pictures_of_other_shards(colorcli, photos, tmp_path):
    (tmp_path / "hints.csv").write_text("picture,x,y,color\nsub/a.jpg,50%,50%,navy\n", encoding="utf-8")
    for part in ("1/2", "2/2"):
        assert colorcli("--hints", "hints.csv", "--shard", part, "photos")[0] == 0


def test_the_entropy_of_a_picture_with_hints_is_that_of_the_model(colorcli, tmp_path):
    gray(tmp_path / "a.png")
    _, out, _ = colorcli("--json", "--explain", "--hint", "10,8=#b03020", "a.png")
    assert [row.get("hints") for row in rows(out)] == [["26.25%,26.5625%=#b03020"], None]


def test_a_photograph_to_take_colors_from_is_noted_and_is_a_setting(colorcli, tmp_path):
    gray(tmp_path / "a.png")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "like.png")
    code, out, _ = colorcli("--json", "--like", "like.png", "a.png")
    assert code == 0
    assert rows(out)[0]["notes"]["like"] == "like.png"
    assert "with other settings" in colorcli("a.png")[2]
    code, _, err = colorcli("--like", "a.png", "--overwrite", "a.png")
    assert code == 2
    assert "a.png is not in color." in err
    assert "--like and --samples cannot be used together" in colorcli("--like", "like.png", "--samples", 2, "a.png")[2]
