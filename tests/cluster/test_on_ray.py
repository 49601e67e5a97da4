"""A real Ray cluster of two nodes on this machine: a node is lost, a picture ends its worker, and nothing else is."""

import contextlib
import io
import json
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from tests.film.test_colorize import long_film
from tests.site_packages import SitePackages
from tests.tiny import write_tiny_weights

pytest.importorskip("ray", reason="ray, an extra, is not installed")

SUNSET = (Path(__file__).parents[1] / "third_party" / "colorcli-sunset" / "colorcli_sunset.py").read_text()
# Slow enough to be stopped in the middle, and the end of the process that colors a nearly white picture
DEADLY = SUNSET.replace(
    "        return warmth * ab",
    "        import os, time\n"
    "        with open(os.environ['POLICIES'], 'a') as file:\n"
    "            print(os.environ.get('OMP_WAIT_POLICY'), file=file)\n"
    "        os._exit(3) if (lightness.mean(dim=(1, 2, 3)) > 90).any() else time.sleep(0.2 * len(lightness))\n"
    "        return warmth * ab",
)
COUNT, DEADLY_PICTURE = 24, "07.png"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photographs, and a plugin that workers import, too."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "photos").mkdir()
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(20, 120, (8, 10), np.uint8)
        Image.fromarray(np.kron(noise, np.ones((4, 4), np.uint8))).save(folder / "photos" / f"{number:02}.png")
    Image.new("L", (40, 32), 250).save(folder / "photos" / DEADLY_PICTURE)
    site = SitePackages(folder / "site")
    site.add("colorcli-deadly", DEADLY, "sunset")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(site.folder)
        patch.setenv("PYTHONPATH", str(site.folder))
        patch.setenv("RAY_worker_niceness", "0")  # or workers starve where tests run side by side
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("POLICIES", str(folder / "policies"))
        patch.delenv("OMP_WAIT_POLICY", raising=False)
        yield folder


@pytest.fixture(scope="module")
def cluster(place):
    from ray.cluster_utils import Cluster

    memory = 80 * 2**20
    started = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": memory})
    started.add_node(num_cpus=1, object_store_memory=memory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as the program does, and as the nodes do not have it
        yield started
    started.shutdown()


def when(happened, do):
    """Do something in another thread as soon as something has happened."""

    def wait():
        while not happened() and time.monotonic() < end:
            time.sleep(0.05)
        do()

    end = time.monotonic() + 300
    threading.Thread(target=wait, daemon=True).start()


@pytest.fixture(scope="module")
def runs(cluster, place):
    """A run that is stopped by Ctrl-C, and the same command again, during which a node is lost."""
    output = place / "photos-color"

    def run():
        out, err = io.StringIO(), io.StringIO()
        command = ["run", "--model", "sunset", "photos", "--json", "--on", f"ray://{cluster.address}"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(command)
        rows = [json.loads(line) for line in out.getvalue().splitlines()]
        return SimpleNamespace(code=code, rows=rows, err=err.getvalue())

    def written():
        return len([*output.glob("[0-9]*.png")])

    when(lambda: written() >= 3, lambda: os.kill(os.getpid(), signal.SIGINT))
    stopped = run()
    before = {path.name: path.stat() for path in output.iterdir()}
    time.sleep(1.1)  # outputs are told from those of an earlier run by the second of their time, as storages keep it
    enough, (node,) = len(before) + 4, cluster.worker_nodes
    when(lambda: written() >= enough, lambda: cluster.remove_node(node, allow_graceful=False))
    return SimpleNamespace(stopped=stopped, before=before, resumed=run(), output=output)


def test_ctrl_c_stops_after_the_pictures_that_are_being_worked_on(runs):
    assert runs.stopped.code == 130
    assert "Run the same command to resume." in runs.stopped.err
    assert 3 <= len(runs.before) < COUNT - 1
    assert all(name.endswith(".png") and not name.startswith(".") for name in runs.before)


def test_nothing_is_lost_and_nothing_is_done_twice(runs):
    assert sorted(Path(row["input"]).name for row in runs.resumed.rows) == [f"{n:02}.png" for n in range(COUNT)]
    done = {Path(row["input"]).name for row in runs.resumed.rows if row.get("done_before")}
    assert done == set(runs.before)
    after = {path.name: path.stat() for path in runs.output.iterdir()}
    assert sorted(after) == [f"{n:02}.png" for n in range(COUNT) if f"{n:02}.png" != DEADLY_PICTURE]
    assert all(after[name].st_ino == status.st_ino for name, status in runs.before.items())


def test_a_picture_that_ends_two_workers_has_failed(runs):
    assert runs.resumed.code == 1
    (row,) = [row for row in runs.resumed.rows if "error" in row]
    assert Path(row["input"]).name == DEADLY_PICTURE
    assert row["output"] is None
    assert "2 workers ended while they worked on it" in row["error"]
    assert f"{DEADLY_PICTURE}: 2 workers ended" in runs.resumed.err
    assert f"{COUNT - 1 - len(runs.before)} colorized, {len(runs.before)} done before, 1 failed" in runs.resumed.err


def test_the_threads_of_workers_sleep_while_they_wait(runs, place):
    assert set((place / "policies").read_text().split()) == {"PASSIVE"}


def test_outputs_and_rows_are_those_of_one_machine(runs, place, capsys):
    (place / "photos" / DEADLY_PICTURE).unlink()
    assert main(["run", "--model", "sunset", "photos", "--json", "--device", "cpu", "-o", "alone"]) == 0
    alone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row in alone:
        name = Path(row["input"]).name
        assert (place / row["output"]).read_bytes() == (runs.output / name).read_bytes()
    rows = {row["input"]: row for row in runs.resumed.rows if "error" not in row and not row.get("done_before")}
    for row in alone:
        if row["input"] in rows:
            assert {**row, "seconds": 0, "output": ""} == {**rows[row["input"]], "seconds": 0, "output": ""}


def test_a_film_is_that_of_one_machine(cluster, place, capsys):
    long_film(place / "film.mkv")
    weights = write_tiny_weights(place / "tiny.safetensors")
    command = ["run", "--weights", str(weights), "--device", "cpu", "film.mkv", "--json"]
    assert main([*command, "-o", "shared.mkv", "--on", f"ray://{cluster.address}"]) == 0
    shared = json.loads(capsys.readouterr().out)
    assert main([*command, "-o", "alone.mkv"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert (place / "shared.mkv").read_bytes() == (place / "alone.mkv").read_bytes()
    counted = ("frames", "made_before", "predicted", "shots", "codec")
    assert [shared[name] for name in counted] == [alone[name] for name in counted]
