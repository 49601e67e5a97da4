import pytest
import torch

from colorcli.color import gray_to_lightness
from colorcli.errors import UsageError
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.testing import ColorizerSuite
from colorcli_iizuka import Iizuka
from colorcli_iizuka.network import IizukaNetwork

TINY = {"width": 0.05, "global_size": 32}


class TestIizuka(ColorizerSuite):
    colorizer = Iizuka()
    small = TINY


class TestIizukaWithBatchNorm(ColorizerSuite):
    colorizer = Iizuka()
    small = {**TINY, "norm": True}  # noqa: RUF012


class TestIizukaThatMakesRgb(ColorizerSuite):
    colorizer = Iizuka()
    small = {**TINY, "space": "rgb", "output": "relu", "fusion_kernel": 1}  # noqa: RUF012


def vivid(**hyperparameters):
    """A network whose colors differ as those of a trained one do."""
    torch.manual_seed(0)
    network = IizukaNetwork(**{**TINY, **hyperparameters}).eval()
    torch.nn.init.normal_(network.color[-1].weight, std=0.1)
    return network


def noise(batch=1, side=64):
    return torch.rand(batch, 1, side, side, generator=torch.Generator().manual_seed(1))


def test_a_gray_picture_reaches_the_network_as_it_was():
    """Its gray values become lightness in the host, and luma again."""
    network, gray = vivid(), noise()
    with torch.inference_mode():
        expected = network.to_ab(network(gray)[0])
        ab = Iizuka().predict(network, gray_to_lightness(gray))
    assert expected.std() > 1
    assert (ab - expected).abs().max() < 1e-3


@pytest.mark.parametrize("space", ["lab", "rgb"])
def test_bf16_is_close_to_fp32(space):
    lightness = gray_to_lightness(noise(2))
    fp32, bf16 = (
        Model(Iizuka(), vivid(space=space), choose("cpu", precision), tag="", fingerprint="", size=None).predict(
            lightness
        )
        for precision in ("fp32", "bf16")
    )
    assert fp32.std() > 1
    assert 0 < (fp32 - bf16).abs().mean() < 0.1 * fp32.std()


def test_it_has_no_options():
    model = Model(Iizuka(), vivid(), choose("cpu", "fp32"), tag="", fingerprint="", size=None)
    with pytest.raises(UsageError, match="iizuka has no option 'temperature'"):
        model.predict(gray_to_lightness(noise()), temperature=0.38)
