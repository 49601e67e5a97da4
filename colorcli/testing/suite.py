"""The promises that every colorizer keeps, as a test class to inherit from.

    class TestSunset(ColorizerSuite):
        colorizer = Sunset()

Networks are built untrained, and no network connection is used: a suite takes seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from colorcli.colorizer import Colorizer, Option, Prediction, Weights, chroma_of, declares
from colorcli.errors import ColorcliError, UsageError
from colorcli.plugin.validation import NAME
from colorcli.recipe import Batch
from colorcli.weights.manifest import weights_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from colorcli.colorizer import OptionValue
    from colorcli.inference.model import Model
    from colorcli.recipe import Recipe

_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_TAG = re.compile(r"[A-Za-z0-9_-]+")
_SLOW = {"cv2", "jax", "matplotlib", "numpy", "pandas", "PIL", "scipy", "skimage", "tensorflow", "timm", "torch"}
_SIZES = ((1, 1), (5, 70), (47, 33))  # height and width of pictures that fit no network
_FARTHEST = 256.0  # chroma of an untrained network may go beyond sRGB's, but not by another order of magnitude


class ColorizerSuite:
    """Inherit, set `colorizer`, and let pytest collect it."""

    colorizer: ClassVar[Colorizer]
    small: ClassVar[Mapping[str, Any]] = {}  # hyperparameters of a network that is quick to run
    side: ClassVar[int | None] = None  # of the squares that it is tried on, where those of its own size take long
    settings: ClassVar[Mapping[str, Any]] = {}  # the table [recipe] that its recipe is tried with
    categories: ClassVar[Sequence[str]] = ("city", "people")  # of the data that its recipe is tried on

    # What it says of itself

    def test_the_name_can_be_typed(self) -> None:
        """Small letters, digits, `-` and `_`: the dot belongs to the tag."""
        name = self.colorizer.name
        assert NAME.fullmatch(name), f"the name {name!r} needs small letters, digits, - and _, and no dot"

    def test_the_summary_is_one_line(self) -> None:
        """`colorcli models` shows it."""
        summary = self.colorizer.summary
        assert summary.strip(), "the summary is empty"
        assert "\n" not in summary, "the summary has more than one line"
        assert len(summary) <= 100, f"the summary has {len(summary)} characters, and a terminal 100"

    def test_its_module_imports_nothing_slow(self) -> None:
        """Torch takes a second, and everybody who lists the models would wait for it."""
        module = type(self.colorizer).__module__
        program = f"import sys; sys.path[:] = {sys.path!r}; import {module}; print(*{_SLOW!r} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, f"{module} cannot be imported in a fresh Python: {done.stderr.strip()}"
        slow = ", ".join(sorted(done.stdout.split()))
        assert not slow, f"{module} imports {slow} at its top; do it inside build and predict"

    def test_every_tag_says_what_it_is(self) -> None:
        """Weights come with a hash, a size, a source and a license."""
        for tag, weights in self.colorizer.weights.items():
            assert _TAG.fullmatch(tag), f"the tag {tag!r} needs letters, digits, - and _"
            assert isinstance(weights, Weights), f"the weights {tag} are no colorcli.Weights"
            assert not weights_problems(weights), f"the weights {tag}: {'; '.join(weights_problems(weights))}"
            assert _SPDX.fullmatch(weights.license), f"the weights {tag}: {weights.license!r} is no SPDX identifier"

    def test_every_option_is_documented_and_bounded(self) -> None:
        """`-p name=value` is checked by what the option declares."""
        names = [option.name for option in self.colorizer.options]
        assert len(names) == len(set(names)), f"two options have one name: {names}"
        for option in self.colorizer.options:
            _check_option(option)

    # What its network does

    def test_every_tag_builds_the_network_that_it_describes(self) -> None:
        """The hyperparameters in the manifest are all that `build` needs."""
        for tag, weights in self.colorizer.weights.items():
            network = self.colorizer.build(**weights.network)
            count = sum(parameter.numel() for parameter in network.parameters())
            assert weights.parameters in {0, count}, (
                f"{tag} promises {weights.parameters} parameters, build has {count}"
            )

    def test_weights_that_are_here_fit_their_network_and_give_finite_chroma(self) -> None:
        """Bundled ones are here: whoever installs the plugin can use them without a network connection."""
        from colorcli.weights import read_state
        from colorcli.weights.fitting import build_network
        from colorcli.weights.resolver import local_path
        from colorcli.weights.verification import verify

        for tag, weights in self.colorizer.weights.items():
            path = local_path(weights)
            assert path or not weights.bundled, f"the bundled weights {tag} are missing: there is no {weights.file}"
            if path:
                state = read_state(verify(path, weights), weights.format)
                network = build_network(self.colorizer, state, weights.network, path)
                size = weights.input_size or self.colorizer.size
                lightness = self._pictures(size)[0]
                try:
                    ab = self._model(network, size).predict(lightness, **weights.options)
                except ColorcliError as error:
                    raise AssertionError(f"the weights {tag}: {error}") from error
                _check_chroma(ab, lightness, f"with the weights {tag}")

    def test_chroma_has_two_finite_channels_for_every_picture(self) -> None:
        """(B, 1, H, W) in, (B, 2, h, w) out, whatever the picture: noise, black, white."""
        network = self._network()
        for lightness in self._pictures():
            _check_chroma(self._predict(network, lightness), lightness)

    def test_every_option_gives_finite_chroma_at_its_bounds(self) -> None:
        """Or says in a UsageError why a value is not for this network."""
        network, lightness = self._network(), self._pictures()[0]
        for option in self.colorizer.options:
            for value in _extremes(option):
                try:
                    ab = self._predict(network, lightness, **{option.name: value})
                except UsageError:
                    continue
                _check_chroma(ab, lightness, f"with -p {option.name}={value}")

    def test_pictures_of_any_size_are_colored(self) -> None:
        """Down to a single pixel; the host makes them a square or pads them, and the network takes what it gets."""
        import numpy as np

        model = self._model(self._network(), self.side or self.colorizer.size)
        for height, width in _SIZES:
            gray = np.linspace(0, 255, height * width, dtype=np.uint8).reshape(height, width)
            try:
                colored = model.colorize(gray)
            except Exception as error:
                raise AssertionError(f"a picture of {width} x {height} fails: {_said(error)}") from error
            assert colored.shape == (height, width, 3), f"a picture of {width} x {height} became {colored.shape}"

    def test_every_picture_has_its_notes(self) -> None:
        """Where `predict` returns a Prediction, `colorcli run --json` shows what it has to tell."""
        lightness = self._pictures()[-1]
        predicted = self._predicted(self._network(), lightness)
        if not isinstance(predicted, Prediction):
            return
        assert len(predicted.notes) == len(lightness), f"{len(predicted.notes)} notes for {len(lightness)} pictures"
        for note in predicted.notes:
            fine = all(isinstance(key, str) and isinstance(value, (str, int, float)) for key, value in note.items())
            assert fine, f"the note {note!r} is no mapping of text to text or numbers"

    def test_predict_leaves_the_lightness_alone(self) -> None:
        """The host joins the chroma with the very same lightness afterwards."""
        lightness = self._pictures()[0]
        before = lightness.clone()
        self._predict(self._network(), lightness)
        assert lightness.equal(before), "predict wrote into the lightness that it was given"

    def test_a_picture_gets_the_same_chroma_alone_as_in_a_batch(self) -> None:
        """A picture's chroma depends on that picture only."""
        network, batch = self._network(), self._pictures()[-1]
        together = self._predict(network, batch)
        alone = [self._predict(network, lightness) for lightness in _one_by_one(batch)]
        difference = max(map(_difference, _one_by_one(together), alone))
        assert difference <= 1e-3, f"a picture's chroma changes by {difference:.2%} with the others in the batch"

    def test_the_same_picture_gets_the_same_chroma_again(self) -> None:
        """Nothing is drawn at random, nothing is remembered from one picture to the next."""
        network, lightness = self._network(), self._pictures()[0]
        first = self._predict(network, lightness)
        difference = _difference(first, self._predict(network, lightness))
        assert difference <= 1e-3, f"a picture's chroma changes by {difference:.2%} when it is predicted again"

    def test_pictures_in_several_threads_do_not_mix(self) -> None:
        """The host shares one network among its threads: what `predict` keeps to itself has to be local."""
        network, batch = self._network(), self._pictures()[-1]
        pictures = _one_by_one(batch)
        alone = [self._predict(network, lightness) for lightness in pictures]
        with ThreadPoolExecutor(len(pictures)) as pool:
            together = list(pool.map(lambda lightness: self._predict(network, lightness), pictures * 2))
        difference = max(map(_difference, together, alone * 2))
        assert difference <= 1e-3, f"chroma changes by {difference:.2%} while other threads predict"

    def test_a_seed_brings_another_coloring_and_brings_it_back(self) -> None:
        """Where there is `sample`: one seed, one coloring of a picture, in any company; two seeds, two."""
        if not declares(self.colorizer, "sample"):
            return
        network, batch = self._network(), self._pictures()[-1]
        first = self._told("sample", network, batch, seed=1)
        _check_chroma(first, batch, "with seed=1")
        alone = [self._told("sample", network, lightness, seed=1) for lightness in _one_by_one(batch)]
        difference = max(map(_difference, _one_by_one(first), alone))
        assert difference <= 1e-3, f"the coloring of a seed changes by {difference:.2%} when it is drawn again"
        other = self._told("sample", network, batch, seed=2)
        assert _difference(first, other) > 1e-3, "two seeds gave the same coloring"

    def test_an_entropy_is_in_bits_and_of_each_picture_alone(self) -> None:
        """Where there is `explain`: (B, 1, h, w), finite, 0 or more."""
        if not declares(self.colorizer, "explain"):
            return
        network, batch = self._network(), self._pictures()[-1]
        bits = self._told("explain", network, batch)
        assert bits.ndim == 4, f"explain gave {tuple(bits.shape)}, where (B, 1, h, w) was promised"
        assert bits.shape[:2] == (len(batch), 1), f"explain gave {tuple(bits.shape)}, not (B, 1, h, w)"
        assert bits.isfinite().all(), "explain gave infinities or NaN"
        assert bits.min() > -1e-3, f"an entropy is never negative, and explain gave {bits.min():.3f}"
        alone = [self._told("explain", network, lightness) for lightness in _one_by_one(batch)]
        difference = max(map(_difference, _one_by_one(bits), alone))
        assert difference <= 1e-3, f"a picture's entropy changes by {difference:.2%} with the others in the batch"

    def test_weights_survive_a_file(self) -> None:
        """The state dict holds everything that was learned."""
        from colorcli.weights import Header, open_file, write_state

        network, lightness = self._network(), self._pictures()[0]
        with TemporaryDirectory(prefix="colorcli-") as folder:
            file = Path(folder) / "weights.safetensors"
            write_state(file, network.state_dict(), Header(self.colorizer.name, "test", dict(self.small)))
            state, hyperparameters = open_file(file)
            again = self.colorizer.build(**hyperparameters).eval()
            again.load_state_dict(state, strict=True)
        difference = _difference(self._predict(network, lightness), self._predict(again, lightness))
        assert difference <= 1e-3, f"chroma changes by {difference:.2%} when the weights have been through a file"

    def test_predict_works_on_every_device_that_is_here_in_every_precision(self) -> None:
        """The host chooses the device and what it computes in: fp32 and bf16, and fp16 on what is no CPU."""
        lightness = self._pictures()[0]
        for device in _devices():
            for precision in ("fp32", "bf16") if device == "cpu" else ("fp32", "bf16", "fp16"):
                try:
                    ab = self._model(self._network(), self.colorizer.size, device, precision).predict(lightness)
                except Exception as error:
                    raise AssertionError(f"on {device} in {precision}: {_said(error)}") from error
                _check_chroma(ab, lightness, f"on {device} in {precision}")

    # How it learns

    def test_training_steps_give_finite_losses_and_change_the_network(self) -> None:
        """Where there is a recipe, it works on the CPU."""
        if not self._trainable():
            return
        recipe, batch = self.colorizer.recipe(**self.settings), self._examples()
        network = self._start(recipe, recipe.survey([batch.ab], self.categories))
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        for _ in range(2):  # the first step of a schedule that warms up may be of length 0
            losses = recipe.step(batch)
        assert losses, "step gave no loss"
        for name, loss in losses.items():
            assert loss.ndim == 0, f"the loss {name} is no scalar"
            assert not loss.requires_grad, f"the loss {name} is not detached, and holds on to the whole graph"
            assert loss.isfinite(), f"the loss {name} is {loss}"
        changed = [name for name, parameter in network.named_parameters() if not parameter.equal(before[name])]
        assert changed, "two training steps changed no parameter"

    def test_resumed_training_goes_on_as_if_it_had_not_stopped(self) -> None:
        """The state of a recipe is all that is needed beside the network's own."""
        if not self._trainable():
            return
        import torch

        recipe, resumed, batch = (
            self.colorizer.recipe(**self.settings),
            self.colorizer.recipe(**self.settings),
            self._examples(),
        )
        learned_of_colors = recipe.survey([batch.ab], self.categories)
        network = self._start(recipe, learned_of_colors)
        recipe.step(batch)
        weights = deepcopy(network.state_dict())
        resumed.load(deepcopy(recipe.state()))
        again = self._start(resumed, learned_of_colors)
        again.load_state_dict(weights)
        for each in (recipe, resumed):
            torch.manual_seed(1)
            each.step(batch)
        for (name, straight), other in zip(network.named_parameters(), again.parameters(), strict=True):
            assert torch.allclose(straight, other, atol=1e-6), f"{name} is another after training was resumed"

    # Its means

    def _network(self) -> nn.Module:
        import torch

        torch.manual_seed(0)
        return self.colorizer.build(**self.small).eval()

    def _model(self, network: nn.Module, size: int | None, device: str = "cpu", precision: str = "fp32") -> Model:
        from colorcli.inference.device import choose
        from colorcli.inference.model import Model

        return Model(self.colorizer, network, choose(device, precision), tag="", fingerprint="", size=size)

    def _predict(self, network: nn.Module, lightness: Tensor, **options: OptionValue) -> Tensor:
        ab = chroma_of(self._predicted(network, lightness, **options))
        _expect_tensor("predict", ab, channels=2)
        return ab

    def _predicted(self, network: nn.Module, lightness: Tensor, **options: OptionValue) -> Tensor | Prediction:
        import torch

        defaults = {option.name: option.default for option in self.colorizer.options}
        with torch.inference_mode():
            return self.colorizer.predict(network, lightness, **{**defaults, **options})

    def _told(self, method: str, network: nn.Module, lightness: Tensor, **arguments: int) -> Tensor:
        """Ask a colorizer's `sample` or `explain`."""
        import torch

        defaults = {option.name: option.default for option in self.colorizer.options}
        with torch.inference_mode():
            told: Tensor = getattr(self.colorizer, method)(network, lightness, **arguments, **defaults)
        _expect_tensor(method, told, channels=1 if method == "explain" else 2)
        return told

    def _trainable(self) -> bool:
        if not declares(self.colorizer, "recipe"):
            return False
        from colorcli.training import require_extra

        require_extra()
        return True

    def _start(self, recipe: Recipe, hyperparameters: Mapping[str, Any]) -> nn.Module:
        from lightning_fabric import Fabric

        network = self.colorizer.build(**{**self.small, **hyperparameters})
        recipe.start(network, Fabric(accelerator="cpu", devices=1), steps=10)
        return network

    def _examples(self) -> Batch:
        """Two pictures for training."""
        import torch

        lightness = self._pictures()[-1][:2]
        ab = torch.rand(2, 2, *lightness.shape[-2:], generator=_seeded()) * 120 - 60
        return Batch(lightness, ab, torch.tensor([0, 1]))

    def _pictures(self, square: int | None = None) -> list[Tensor]:
        """Batches (B, 1, H, W) of lightness at sizes that the colorizer asks for; the last is a batch of three."""
        import torch

        square = square or self.side or self.colorizer.size
        unit = self.colorizer.multiple_of
        side = square or -(-64 // unit) * unit
        width = square or side + unit
        noise = torch.rand(1, 1, side, width, generator=_seeded()) * 100
        ramp = torch.linspace(0, 100, width).expand(1, 1, side, width)
        return [
            noise,
            torch.cat([torch.zeros_like(noise), noise, torch.full_like(noise, 100)]),
            torch.cat([ramp / 2, noise, 100 - ramp / 4]),  # whose means and extremes differ
        ]


def _seeded() -> Any:
    import torch

    return torch.Generator().manual_seed(0)


def _one_by_one(batch: Tensor) -> list[Tensor]:
    return [batch[i : i + 1] for i in range(len(batch))]


def _difference(one: Tensor, other: Tensor) -> float:
    """The largest, as a share of the range that the chroma has: untrained networks may be pale."""
    spread = one.amax() - one.amin()
    return float((one - other).abs().amax() / (spread + 1e-2))


def _expect_tensor(method: str, given: object, channels: int) -> None:
    import torch

    kind = type(given).__name__
    assert isinstance(given, torch.Tensor), f"{method} gave {kind}, where a tensor (B, {channels}, h, w) was promised"


def _check_chroma(ab: Tensor, lightness: Tensor, when: str = "") -> None:
    given = f"for lightness {tuple(lightness.shape)} {when}".strip()
    assert ab.ndim == 4, f"predict gave {tuple(ab.shape)} {given}, where (B, 2, h, w) was promised"
    assert ab.shape[:2] == (len(lightness), 2), f"predict gave {tuple(ab.shape)} {given}, not (B, 2, h, w)"
    assert ab.is_floating_point(), f"predict gave {ab.dtype} {given}, where a float was promised"
    assert ab.isfinite().all(), f"predict gave infinities or NaN {given}"
    assert ab.abs().max() <= _FARTHEST, f"chroma reaches {ab.abs().max():.0f} {given}, where -128..127 is the scale"


def _extremes(option: Option) -> Sequence[OptionValue]:
    if option.choices or isinstance(option.default, (bool, str)):
        return option.choices or (False, True)
    kind = type(option.default)
    return [kind(bound) for bound in (option.minimum, option.maximum) if bound is not None]


def _devices() -> list[str]:
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["cpu", *(device for device, is_there in there.items() if is_there)]


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ColorcliError) else f"{type(error).__name__}: {error}"


def _check_option(option: Option) -> None:
    assert option.help.strip(), f"the option {option.name} has no help"
    assert option.name.isidentifier(), f"the option {option.name!r} is no name that `predict` could take"
    if isinstance(option.default, str):
        assert option.choices, f"the option {option.name} is text without choices"
    elif not isinstance(option.default, bool):
        assert option.minimum is not None, f"the option {option.name} has no minimum"
        assert option.maximum is not None, f"the option {option.name} has no maximum"
    try:
        option.check(option.default)
    except UsageError as error:
        raise AssertionError(f"the default of the option {option.name} is not allowed: {error}") from error
