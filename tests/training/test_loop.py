import contextlib
import csv
import itertools
import shutil

import pytest
import torch
from safetensors.torch import load_file

from colorcli.errors import ColorcliError, DataError, DeviceError, UsageError, WeightsCorrupt
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli_zhang import Zhang
from tests.training.photographs import TINY, picture, write_photographs, write_recipe

FILES = {"best.safetensors", "best.toml", "checkpoint.pt", "curves.png", "last.safetensors", "last.toml", "log.csv"}
STEPS = 7  # in an epoch of the tiny recipe


def begin(recipe, photographs, folder, **settings):
    settings = {"device": "cpu", "precision": "fp32"} | settings
    return train(Zhang(), read_recipe(recipe), photographs, folder, **settings)


def resume(recipe, photographs, folder, yields=None, **settings):
    """Take some or all values of a run, and close it."""
    with contextlib.closing(begin(recipe, photographs, folder, **settings)) as steps:
        return list(itertools.islice(steps, yields))


def rows(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def assert_same_run(one, other):
    assert_same_files(one, other)
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (one, other))
    assert_same(first, second, "checkpoint")


def assert_same_files(one, other):
    assert (one / "log.csv").read_bytes() == (other / "log.csv").read_bytes()
    for name in ("best.safetensors", "last.safetensors", "best.toml"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def assert_same(one, other, where):
    if isinstance(one, torch.Tensor):
        assert one.equal(other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{where}.{index}")
    else:
        assert one == other, where


@pytest.fixture(scope="module")
def straight(photographs, tiny, tmp_path_factory):
    """A run that nothing interrupted, and its reports."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "straight"
    return folder, resume(tiny, photographs, folder)


def test_a_run_yields_at_its_start_after_every_step_and_after_every_validation(straight):
    _, reports = straight
    epoch = [*range(1, STEPS + 1), STEPS]
    assert [report.step for report in reports] == [0, *epoch, *(STEPS + step for step in epoch)]
    assert [report.step for report in reports if report.validated] == [STEPS, 2 * STEPS]
    assert [report.finished for report in reports] == [False] * (2 * STEPS + 2) + [True]
    assert [report.epoch for report in reports if report.validated] == [0, 1]


def test_a_run_writes_weights_log_curves_and_samples(straight):
    folder, reports = straight
    assert {path.name for path in folder.iterdir()} >= FILES
    assert [path.name for path in sorted((folder / "samples").iterdir())] == ["0000007.png", "0000014.png"]
    assert not list(folder.glob("*.part"))
    steps = [int(row["step"]) for row in rows(folder) if row["loss"] == "loss"]
    assert steps == list(range(1, 2 * STEPS + 1))
    validations = [row for row in rows(folder) if row["loss"] == "validation loss"]
    assert [int(row["step"]) for row in validations] == [STEPS, 2 * STEPS]
    assert float(validations[-1]["value"]) == pytest.approx(reports[-1].losses["validation loss"], rel=1e-4)


def test_the_best_validation_so_far_exports_its_weights(photographs, tiny, tmp_path):
    resume(tiny, photographs, tmp_path, 2 + STEPS)
    assert (tmp_path / "best.safetensors").read_bytes() == (tmp_path / "last.safetensors").read_bytes()


def test_a_worse_validation_keeps_the_best_weights(photographs, tiny, tmp_path):
    resume(tiny, photographs, tmp_path, 2 + STEPS)
    best = (tmp_path / "best.safetensors").read_bytes()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save(state | {"best": 0.1}, tmp_path / "checkpoint.pt")  # what comes is worse for certain
    resume(tiny, photographs, tmp_path)
    assert (tmp_path / "best.safetensors").read_bytes() == best
    assert (tmp_path / "last.safetensors").read_bytes() != best


@pytest.mark.parametrize(
    "yields",
    [
        pytest.param((1,), id="before the first step"),
        pytest.param((4, 3), id="twice in an epoch"),
        pytest.param((1 + STEPS,), id="right before a validation"),
        pytest.param((2 + STEPS,), id="right after a validation"),
        pytest.param((2 + 2 * STEPS,), id="right before the last validation"),
    ],
)
def test_an_interrupted_run_gives_the_same_result_as_an_uninterrupted_one(
    straight, photographs, tiny, tmp_path, yields
):
    for count in yields:
        resume(tiny, photographs, tmp_path / "run", count)
    reports = resume(tiny, photographs, tmp_path / "run")
    assert reports[-1].finished
    assert_same_run(straight[0], tmp_path / "run")


def test_a_killed_run_resumes_from_its_last_checkpoint(straight, photographs, tiny, tmp_path):
    run = tmp_path / "run"
    resume(tiny, photographs, run, 1 + STEPS)  # its validation is still to come
    shutil.copy(run / "checkpoint.pt", tmp_path)
    resume(tiny, photographs, run, 5)
    shutil.copy(tmp_path / "checkpoint.pt", run)  # as a kill leaves it: the log and best are ahead of the checkpoint
    with (run / "log.csv").open("a") as log:
        log.write("1")
    assert [report.step for report in resume(tiny, photographs, run)][:2] == [STEPS, STEPS]
    assert_same_run(straight[0], run)


def test_a_run_stops_after_the_current_step(straight, photographs, tiny, tmp_path):
    answers = iter([False, False, True])
    reports = resume(tiny, photographs, tmp_path / "run", stop=lambda: next(answers))
    assert [report.step for report in reports] == [0, 1, 2, 3]
    resume(tiny, photographs, tmp_path / "run")
    assert_same_run(straight[0], tmp_path / "run")


def test_a_complete_run_does_nothing(straight, photographs, tiny):
    folder, _ = straight
    before = {
        path: path.stat().st_mtime_ns for path in folder.rglob("*.*") if path.name not in {"run.json", "log.csv"}
    }
    (report,) = resume(tiny, photographs, folder)
    assert report.finished
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_failing_step_keeps_the_last_checkpoint(photographs, tiny, tmp_path):
    resume(tiny, photographs, tmp_path / "run", 4)
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    steps = begin(tiny, photographs, tmp_path / "run")
    assert [next(steps).step, next(steps).step] == [3, 4]
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_ends_the_run(photographs, tmp_path):
    recipe = write_recipe(tmp_path / "wild.toml", learning_rate="1e30", optimizer='"adamw"', schedule='"constant"')
    with pytest.raises(ColorcliError, match="are not finite"):
        resume(recipe, photographs, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_folder_of_another_run_is_an_error(straight, photographs, tmp_path):
    recipe = write_recipe(tmp_path / "tiny.toml", learning_rate="0.03")
    with pytest.raises(UsageError, match="other settings"):
        resume(recipe, photographs, straight[0], 1)


def test_the_number_of_workers_may_change(straight, photographs, tmp_path):
    (report,) = resume(write_recipe(tmp_path / "tiny.toml", workers="1"), photographs, straight[0])
    assert report.finished


def test_changed_photographs_are_an_error(tiny, tmp_path):
    data = write_photographs(tmp_path / "photographs")
    resume(tiny, data, tmp_path / "run", 3)
    (data / "001.jpg").unlink()
    with pytest.raises(UsageError, match="have changed since the run"):
        resume(tiny, data, tmp_path / "run")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"cut", b"foreign"])
def test_a_damaged_checkpoint_is_an_error(straight, photographs, tiny, tmp_path, content):
    run = tmp_path / "run"
    run.mkdir()
    if content == b"foreign":
        torch.save({"model": torch.ones(3)}, run / "checkpoint.pt")
    else:
        whole = (straight[0] / "checkpoint.pt").read_bytes()
        (run / "checkpoint.pt").write_bytes(whole[: len(whole) // 2] if content == b"cut" else content)
    with pytest.raises(WeightsCorrupt, match=r"checkpoint\.pt is damaged or not a checkpoint"):
        resume(tiny, photographs, run)


def test_gray_and_broken_pictures_are_skipped_and_reported_once(tiny, tmp_path, caplog):
    data = write_photographs(tmp_path / "photographs")
    picture(0).convert("L").save(data / "gray.jpg")
    (data / "broken.jpg").write_text("no picture")
    resume(tiny, data, tmp_path / "run", 2)
    assert "2 of 122 photographs are skipped: broken.jpg (cannot be read), gray.jpg (gray)." in caplog.text
    caplog.clear()
    assert resume(tiny, data, tmp_path / "run", 2)[0].step == 1
    assert "skipped" not in caplog.text


def test_gray_photographs_do_not_count(tiny, tmp_path):
    data = tmp_path / "gray"
    data.mkdir()
    for seed in range(30):
        picture(seed).convert("L").save(data / f"{seed}.jpg")
    with pytest.raises(DataError, match="0 usable photographs"):
        resume(tiny, data, tmp_path / "run")


def test_a_run_inside_its_data_is_an_error(photographs, tiny):
    with pytest.raises(UsageError, match="would be used as photographs"):
        resume(tiny, photographs, photographs / "run")
    assert not (photographs / "run").exists()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[recipe]\ngamut = "rgb"', r"\[recipe\]: gamut must be one of srgb, data, circle, got 'rgb'"),
        ("[recipe]\nlambda = 0.5", r"\[recipe\]: .*'lambda'"),
        ('[recipe]\nlearning_rate = "fast"', r"\[recipe\]: .*learning_rate = 'fast'"),
        ("[recipe]\nlearning_rate = -1.0", r"\[recipe\]: .*learning_rate = -1\.0"),
        ("[recipe]\nbetas = [0.9]", r"\[recipe\]: .*betas = \[0\.9\]"),
        ("[network]\ndepth = 3", r"\[network\]: .*'depth'"),
        ("[options]\nheat = 1", "no option 'heat'"),
        ("[options]\ntemperature = 9.0", "temperature"),
    ],
)
def test_a_wrong_setting_is_an_error_before_the_run_starts(photographs, tmp_path, table, said):
    recipe = tmp_path / "wrong.toml"
    recipe.write_text(f"{table}\n[training]\nepochs = 1\nbatch_size = 8\nworkers = 0\n")
    with pytest.raises(UsageError, match=said):
        resume(recipe, photographs, tmp_path / "run")


def test_losses_in_bf16_are_close_to_fp32(straight, photographs, tiny, tmp_path):
    reports = resume(tiny, photographs, tmp_path / "run", 1 + STEPS, precision="bf16")
    losses = [report.losses["loss"] for report in reports[1:]]
    assert losses == pytest.approx([report.losses["loss"] for report in straight[1][1 : 1 + STEPS]], rel=0.03)


def test_the_loss_decreases(photographs, tmp_path):
    changes = {"epochs": "6", "optimizer": '"adamw"', "learning_rate": "0.01", "schedule": '"constant"'}
    reports = resume(write_recipe(tmp_path / "longer.toml", **changes), photographs, tmp_path / "run")
    losses = [report.losses["validation loss"] for report in reports if report.validated]
    assert losses[-1] < 0.9 * losses[0]


def test_early_stopping_ends_a_run_for_good(photographs, tmp_path):
    text = TINY.replace("epochs = 2", "epochs = 9\nearly_stopping = [2, 0.001]").replace("0.02", "5.0")
    recipe = write_recipe(tmp_path / "early.toml", text)
    last = resume(recipe, photographs, tmp_path / "run")[-1]
    assert last.over
    assert last.finished
    assert last.step < last.steps
    (again,) = resume(recipe, photographs, tmp_path / "run")
    assert again.finished
    assert again.step == last.step


def test_a_resumed_run_stops_early_at_the_same_step(photographs, tmp_path):
    text = TINY.replace("epochs = 2", "epochs = 9\nearly_stopping = [2, 0.001]").replace("0.02", "5.0")
    recipe = write_recipe(tmp_path / "early.toml", text)
    last = resume(recipe, photographs, tmp_path / "one")[-1]
    resume(recipe, photographs, tmp_path / "other", 11)
    assert resume(recipe, photographs, tmp_path / "other")[-1] == last


def test_the_best_weights_are_tested_once_at_the_end_on_separate_photographs(photographs, tmp_path):
    text = TINY.replace("epochs = 2", "epochs = 1\nsplit = [80, 10, 10]")
    reports = resume(write_recipe(tmp_path / "split.toml", text), photographs, tmp_path / "run")
    assert "test loss" in reports[-1].losses
    assert sum("test loss" in report.losses for report in reports) == 1
    assert [row["loss"] for row in rows(tmp_path / "run")].count("test loss") == 1


def test_fp16_on_the_cpu_is_an_error(photographs, tiny, tmp_path):
    with pytest.raises(DeviceError, match="fp16 is not supported on the CPU"):
        resume(tiny, photographs, tmp_path / "run", precision="fp16")


def test_exported_weights_are_the_averaged_network_in_half_precision(straight):
    folder, _ = straight
    exported = load_file(folder / "last.safetensors")
    average = torch.load(folder / "checkpoint.pt", weights_only=True)["average"]
    assert all(key == "n_averaged" or average[key].half().equal(exported[key[7:]].half()) for key in average)
    assert {tensor.dtype for tensor in exported.values()} == {torch.float16, torch.int64}
