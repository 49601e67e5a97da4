"""Early stopping on a chosen loss, with the weights of the last epoch, as in the tables of the Edinburgh paper."""

import csv

import pytest

from colorcli.errors import UsageError
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli.training.stopping import is_over
from colorcli_pix2pix import Pix2Pix
from colorcli_zhang import Zhang
from tests.training.photographs import TINY, write_photographs, write_recipe

GAN = """
input_size = 32

[network]
kind = "generator"
width = 2
levels = 5

[recipe]
kind = "gan"
discriminator_width = 2
keep = "last"
learning_rate = 0.2

[training]
epochs = 12
batch_size = 8
sizes = [[0.0, 32]]
workers = 0
early_stopping = [2, 0.0001]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("data") / "photographs", 40)


def run(colorizer, data, folder, text):
    recipe = read_recipe(write_recipe(folder / "gan.toml", text))
    return list(train(colorizer, recipe, data, folder / "run", device="cpu", precision="fp32"))[-1]


def losses_by_epoch(folder, name):
    with (folder / "run" / "log.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["loss"] == name]
    epochs = {}
    for row in rows:
        epochs.setdefault(int(row["epoch"]), []).append(float(row["value"]))
    return [sum(values) / len(values) for _, values in sorted(epochs.items())]


@pytest.mark.parametrize("loss", ["generator", "adversarial"])
@pytest.mark.paper("edinburgh", "the last epoch after early stopping")
@pytest.mark.paper("edinburgh", "stopping on the adversarial loss")
def test_a_gan_that_keeps_its_last_weights_can_stop_early_on_a_chosen_loss(data, tmp_path, loss):
    last = run(Pix2Pix(), data, tmp_path, f'{GAN}stop_on = "{loss}"\n')
    assert last.over
    trained, validated = losses_by_epoch(tmp_path, loss), losses_by_epoch(tmp_path, f"validation {loss}")
    ended = [is_over(trained[:epoch], validated[:epoch], 2, 0.0001) for epoch in range(1, len(validated) + 1)]
    assert ended == [False] * (len(ended) - 1) + [True]
    best, final = (tmp_path / "run" / f"{name}.safetensors" for name in ("best", "last"))
    assert best.read_bytes() == final.read_bytes()  # the last epoch after early stopping


def test_without_a_chosen_loss_it_runs_to_its_end(data, tmp_path):
    last = run(Pix2Pix(), data, tmp_path, GAN.replace("epochs = 12", "epochs = 3"))
    assert not last.over
    assert last.step == last.steps


def test_a_loss_that_does_not_exist_is_an_error_that_lists_the_others(data, tmp_path):
    text = TINY.replace("workers = 0", 'workers = 0\nearly_stopping = [2, 1.0]\nstop_on = "generator"')
    with pytest.raises(UsageError, match="stop_on must be one of loss, got 'generator'"):
        run(Zhang(), data, tmp_path, text)
