import click
import pytest

from colorcli.cli.shard import read_shard


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    for name in ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SLURM_ARRAY_TASK_STEP", raising=False)


def slurm(monkeypatch, task, first, count, **more):
    for name, value in {"ID": task, "MIN": first, "COUNT": count, **more}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))


def test_a_part_may_be_written():
    assert read_shard("2/3") == (2, 3)


@pytest.mark.parametrize(("task", "first", "index"), [(1, 1, 1), (8, 1, 8), (0, 0, 1), (7, 0, 8)])
def test_a_slurm_array_may_begin_at_any_number(monkeypatch, task, first, index):
    slurm(monkeypatch, task, first, 8)
    assert read_shard("auto") == (index, 8)


def test_a_slurm_array_may_have_steps(monkeypatch):
    slurm(monkeypatch, 9, 1, 3, STEP=4)
    assert read_shard("auto") == (3, 3)


def test_a_slurm_array_with_gaps_is_refused(monkeypatch):
    slurm(monkeypatch, 17, 1, 3)
    with pytest.raises(click.BadParameter, match="part 17 of 3"):
        read_shard("auto")


def test_a_part_of_an_array_that_was_resubmitted_names_how_many_there_are(monkeypatch):
    slurm(monkeypatch, 3, 1, 1)
    with pytest.raises(click.BadParameter):
        read_shard("auto")


def test_a_kubernetes_job_counts_from_0_and_needs_the_number(monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert read_shard("auto/4") == (1, 4)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    assert read_shard("auto/4") == (4, 4)
    with pytest.raises(click.BadParameter, match="auto/N"):
        read_shard("auto")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "4")
    with pytest.raises(click.BadParameter, match="part 5 of 4"):
        read_shard("auto/4")


def test_without_a_scheduler_auto_is_refused():
    with pytest.raises(click.BadParameter, match="auto needs a Slurm job array"):
        read_shard("auto")


@pytest.mark.parametrize("text", ["auto/", "auto/x", "automatic", "auto/-1"])
def test_other_texts_are_refused(text):
    with pytest.raises(click.BadParameter, match="must be I/N"):
        read_shard(text)
