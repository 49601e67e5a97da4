import pytest
import torch

from colorcli.color import lab_to_rgb
from colorcli.hints.hint import Hint
from colorcli.inference.device import choose
from colorcli.inference.hinted import HintedPipeline, spreader_of
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.media.pictures.files import Frame
from colorcli.testing import ColorizerSuite
from colorcli_siggraph17 import Siggraph17

SMALL = {"widths": [4, 4, 8, 8]}
ENCODED = {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8, 8], "hint_widths": [4, 4, 4, 4, 4]}


class TestSiggraph17(ColorizerSuite):
    colorizer = Siggraph17()
    small = SMALL
    side = 64


class TestEncodedSiggraph17(ColorizerSuite):
    colorizer = Siggraph17()
    small = ENCODED
    settings = {"pretrained": "random"}  # noqa: RUF012
    side = 64


def seeded(**network):
    torch.manual_seed(0)
    built = Siggraph17().build(**network).eval()
    if network == ENCODED:
        torch.nn.init.normal_(built.out.weight, std=0.5)  # it begins at zero
    return built


def hints_at(row, column, side=64):
    hints = torch.zeros(1, 3, side, side)
    hints[:, :, row : row + 5, column : column + 5] = torch.tensor([60.0, 40.0, 1.0])[:, None, None]
    return hints


@pytest.mark.parametrize("network", [SMALL, ENCODED])
def test_a_hint_changes_what_the_network_predicts_most_around_it(network):
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    built = seeded(**network)
    with torch.inference_mode():
        plain = Siggraph17().predict(built, lightness)
        change = (Siggraph17().predict_with_hints(built, lightness, hints_at(12, 12)) - plain).norm(dim=1)[0]
    scale = change.shape[-1] / 64
    near, far = change[: int(28 * scale), : int(28 * scale)], change[int(48 * scale) :, int(48 * scale) :]
    assert near.max() > 1e-3
    assert near.max() > 5 * far.max()


def test_a_pipeline_shows_hints_to_the_network_and_keeps_their_colors():
    model = Model(Siggraph17(), seeded(**SMALL), choose("cpu", "fp32"), tag="test", fingerprint="0", size=64)
    seen = []

    def listening(network, lightness, hints):
        seen.append(hints.clone())
        return Siggraph17.predict_with_hints(model.colorizer, network, lightness, hints)

    model.colorizer.predict_with_hints = listening
    pixels = torch.full((90, 120), 110, dtype=torch.uint8).numpy()
    hint = Hint(0.25, 0.5, (176, 48, 32), 0.05)
    colored = next(HintedPipeline(Pipeline(model), [hint]).colorize([Frame(pixels)]))
    (hints,) = seen
    assert hints.shape == (1, 3, 64, 64)
    assert hints[0, 2, 32, 16] == 1
    assert hints[0, 2].sum() < 60
    wanted = torch.tensor(spreader_of(Frame(pixels)).fit(hint).rgb)
    seen_rgb = lab_to_rgb(torch.full((1, 1, 1, 1), 46.6), hints[:, :2, 32:33, 16:17]).flatten() * 255
    assert (seen_rgb - wanted).abs().max() < 3
    assert (torch.from_numpy(colored.pixels)[45, 30].int() - wanted).abs().max() < 3
