import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.media.pictures.files import read_provenance
from tests.tiny import write_tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return str(write_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors"))


@pytest.fixture
def colorcli(weights, capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        code = main(["run", "--device", "cpu", "--weights", weights, *map(str, args)])
        return code, *capsys.readouterr()

    return run


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


def test_a_file_is_colored_beside_itself(colorcli, tmp_path):
    gray(tmp_path / "a.jpg")
    assert colorcli("a.jpg") == (0, "", "1 colorized\n")
    assert is_colored(tmp_path / "a-color.jpg")
    assert files(tmp_path) == ["a-color.jpg", "a.jpg"]


def test_a_folder_is_mirrored_and_never_flattened(colorcli, photos):
    assert colorcli("photos")[0] == 0
    assert files(photos.with_name("photos-color")) == files(photos)


def test_a_run_that_was_done_is_done(colorcli, photos):
    colorcli("photos")
    assert colorcli("photos") == (0, "", "0 colorized, 4 done before in photos-color\n")


def test_a_picture_in_color_keeps_nothing_but_its_lightness(colorcli, tmp_path):
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "red.png")
    colorcli("red.png", "--strength", "0")
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
def test_a_name_may_be_anything(colorcli, tmp_path, name):
    gray(tmp_path / "in" / name)
    code, out, err = colorcli("in", "--json")
    assert code == 0
    (row,) = rows(out)
    assert row["input"] == f"in/{name}"
    assert is_colored(tmp_path / row["output"])
    assert "\n" not in err.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text need a file system that allows them")
def test_a_name_that_is_no_text_is_colored_and_told(colorcli, tmp_path):
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


def test_a_bad_file_is_named_and_counted_and_the_rest_go_on(colorcli, photos):
    (photos / "b.png").write_bytes(b"no picture")
    (photos / "gone.png").symlink_to(photos / "nowhere.png")
    code, out, err = colorcli("photos", "--json")
    assert code == 1
    failed = {row["input"]: row["error"] for row in rows(out) if "error" in row}
    assert failed.keys() == {"photos/b.png", "photos/gone.png"}
    assert all(row["output"] is None for row in rows(out) if "error" in row)
    assert "error: photos/b.png: this is" in err
    assert err.endswith("3 colorized, 2 failed in photos-color\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named_and_the_rest_go_on(colorcli, photos):
    (photos / "a.jpg").chmod(0)
    (photos / "sub").chmod(0)
    code, _, err = colorcli("photos")
    (photos / "sub").chmod(0o755)
    assert code == 1
    assert "photos/a.jpg: Permission denied" in err
    assert "photos/sub: Permission denied" in err
    assert "1 colorized, 2 failed" in err


def test_a_folder_without_pictures_is_told(colorcli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert colorcli("empty") == (0, "", "no pictures or films found\n")


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(colorcli, photos, tmp_path):
    before = files(tmp_path)
    code, out, _ = colorcli("photos", "--dry-run")
    assert code == 0
    assert "photos/sub/a.jpg -> photos-color/sub/a.jpg\n" in out
    assert len(out.splitlines()) == 4
    code, out, _ = colorcli("photos", "--dry-run", "--json")
    assert {"input": "photos/b.png", "output": "photos-color/b.png"} in rows(out)
    assert files(tmp_path) == before


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
def test_a_shard_that_makes_no_sense_is_wrong_usage(colorcli, photos, shard):
    code, _, err = colorcli("photos", "--shard", shard)
    assert code == 2
    assert "must be I/N with 1 <= I <= N, such as 1/4" in err


# Wrong usage


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["-p", "temperature"], "-p temperature: NAME=VALUE was expected."),
        (["-p", "temperature=hot"], "-p temperature must be a number from 0.01 to 2, got hot."),
        (["-p", "temperature=9"], "-p temperature must be a number from 0.01 to 2, got 9.0."),
        (["-p", "temprature=1"], "zhang has no option 'temprature'."),
        (["--strength", "2"], "--strength"),
        (["--batch-size", "0"], "--batch-size"),
        (["--precision", "fp8"], "--precision"),
        (["-m", "zhan"], "Colorizer not found: zhan."),
        (["-m", "zhan", "--dry-run"], "Colorizer not found: zhan."),
        (["-m", "zhang.eccv17", "--weights", "eccv17"], "no weights 'eccv17'"),
        (["-m", "zhang.eccv16"], "contradict each other"),
        (["-m", "."], "A model must be COLORIZER or COLORIZER.TAG, got '.'."),
        (["--format", "psd"], "'psd' is no format"),
        (["-"], "- reads one picture from standard input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_with_2_writes_nothing_and_says_why(colorcli, photos, args, reason):
    code, out, err = colorcli("photos", *args)
    assert code == 2
    assert out == ""
    assert reason in err
    assert not photos.with_name("photos-color").exists()


def test_weights_that_are_not_there_are_an_error(colorcli, photos):
    code, _, err = colorcli("photos", "--weights", "none.safetensors")
    assert code == 1
    assert err == "error: Weights file not found: none.safetensors.\n"


def test_an_input_that_is_not_there_is_an_error_and_the_rest_go_on(colorcli, photos):
    code, _, err = colorcli("nothing.jpg", "photos/a.jpg")
    assert code == 1
    assert "nothing.jpg: there is no such file or folder" in err
    assert "1 colorized, 1 failed" in err


def test_too_large_a_picture_is_refused_unless_it_is_allowed(colorcli, photos):
    code, _, err = colorcli("photos/a.jpg", "--max-pixels", "1000")
    assert code == 1
    assert "--max-pixels 1280" in err
    assert colorcli("photos/a.jpg", "--max-pixels", "1280")[0] == 0


def test_options_reach_the_colors(colorcli, photos, tmp_path):
    for temperature in ("0.05", "2"):
        assert colorcli("photos/b.png", "-o", f"{temperature}.png", "-p", f"temperature={temperature}")[0] == 0
    assert (tmp_path / "0.05.png").read_bytes() != (tmp_path / "2.png").read_bytes()
    assert read_provenance(tmp_path / "2.png").tag == "tiny"


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


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, weights):
    gray(tmp_path / "photos" / "small.png")
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "large.png")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    running = process(tmp_path / "photos", weights=weights, preexec_fn=limit)
    _, err = running.communicate()
    assert running.returncode == 1
    assert b"large.png: File too large" in err
    assert b"1 colorized, 1 failed" in err
    assert files(tmp_path / "photos-color") == ["small.png"]


def test_ctrl_c_stops_cleanly_and_the_next_run_completes_the_rest(tmp_path, weights):
    first = gray(tmp_path / "photos" / "0.png", size=(1600, 1200))
    for n in range(1, 60):
        shutil.copy(first, tmp_path / "photos" / f"{n}.png")
    running = process(tmp_path / "photos", "--json", weights=weights)
    for _ in range(3):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert b"Run the same command to resume." in err
    assert b"Traceback" not in err
    done = files(tmp_path / "photos-color")
    assert 3 <= len(done) < 60
    assert all(name.endswith(".png") for name in done)  # and no .part
    for path in (tmp_path / "photos").iterdir():
        if path.name not in done[:2] and path.name not in {"58.png", "59.png"}:
            path.unlink()  # the rest of the rest would tell no more
    again = process(tmp_path / "photos", weights=weights)
    _, err = again.communicate()
    assert again.returncode == 0
    assert b"done before" in err
    assert {"58.png", "59.png"} <= set(files(tmp_path / "photos-color"))


def test_a_reader_who_has_seen_enough_is_no_error_of_ours(photos, weights):
    running = process(photos, "--json", weights=weights)
    running.stdout.close()
    err = running.stderr.read()
    running.wait()
    assert running.returncode == 1
    assert b"Traceback" not in err
