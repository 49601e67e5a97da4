from collections.abc import Mapping
from typing import Any

import pytest
import torch

from colorcli import Recipe
from colorcli.errors import UsageError
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.testing import ColorizerSuite
from colorcli_koalarization import Koalarization

ALONE = {"width": 0.05, "extractor": "none"}
ROUTED = {"width": 0.05, "extractor": "resnet34-grey", "extractor_width": 2, "extractor_size": 32}


class TestKoalarizationAlone(ColorizerSuite):
    colorizer = Koalarization()
    small = ALONE


class TestKoalarizationWithTheRouter(ColorizerSuite):
    colorizer = Koalarization()
    small = {**ROUTED, "norm": True, "dimensions": 7}  # noqa: RUF012

    def _start(self, recipe: Recipe, hyperparameters: Mapping[str, Any]) -> torch.nn.Module:
        recipe.pretrained = "random"  # what a router has learned is another test's matter
        return super()._start(recipe, hyperparameters)


class TestKoalarizationThatClassifies(ColorizerSuite):
    colorizer = Koalarization()
    small = {**ALONE, "bins": 6}  # noqa: RUF012
    settings = {"loss": "cross-entropy", "bins": 6}  # noqa: RUF012


def vivid(**hyperparameters):
    """A network whose colors differ as those of a trained one do."""
    torch.manual_seed(0)
    network = Koalarization().build(**hyperparameters).eval()
    torch.nn.init.normal_(network.decoder[-1].weight, std=0.1)
    return network


def pictures(batch=2, side=64):
    return torch.rand(batch, 1, side, side, generator=torch.Generator().manual_seed(1)) * 100


@pytest.mark.parametrize("hyperparameters", [ALONE, ROUTED, {**ALONE, "bins": 20}])
def test_bf16_is_close_to_fp32(hyperparameters):
    fp32, bf16 = (
        Model(
            Koalarization(),
            vivid(**hyperparameters),
            choose("cpu", precision),
            tag="",
            fingerprint="",
            size=None,
        ).predict(pictures())
        for precision in ("fp32", "bf16")
    )
    assert fp32.std() > 1
    assert 0 < (fp32 - bf16).abs().mean() < 0.1 * fp32.std()


def test_it_has_no_options():
    model = Model(Koalarization(), vivid(**ALONE), choose("cpu", "fp32"), tag="", fingerprint="", size=None)
    with pytest.raises(UsageError, match="koalarization has no option 'temperature'"):
        model.predict(pictures(), temperature=0.38)
