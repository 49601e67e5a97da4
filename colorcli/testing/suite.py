"""The promises that every colorizer keeps, as a test class to inherit from.

    class TestSunset(ColorizerSuite):
        colorizer = Sunset()

Networks are built untrained, and nothing is downloaded: a suite takes seconds.
"""

from __future__ import annotations

import contextlib
import io
import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from colorcli.colorizer import Option, Prediction, declares
from colorcli.errors import ColorcliError, UsageError
from colorcli.isolation.guard import stdout_to_stderr
from colorcli.plugin.validation import MAX_SUMMARY_LENGTH, problems_of_colorizer, problems_of_options
from colorcli.testing.assertions import assert_chroma, difference, one_by_one, reason
from colorcli.testing.imports import first_import, import_afresh
from colorcli.testing.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from colorcli.colorizer import OptionValue

_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_SIZES = ((1, 1), (5, 70), (47, 33))  # height and width of pictures that fit no network
_MAX_IMPORT_SECONDS = 1.0  # seconds that the import of a module may take
_TOLERANCE = 1e-3  # share of the chroma's range that a batch, a thread or a file may change by rounding


class ColorizerSuite(Subject):
    """Inherit, set `colorizer`, and let pytest collect it."""

    # What it declares

    def test_every_field_is_valid(self) -> None:
        """Name, summary, sizes, weights, options and the arguments of its methods: what registration checks."""
        problems = problems_of_colorizer(self.colorizer)
        assert not problems, "; ".join(problems)

    def test_the_summary_fits_on_a_line(self) -> None:
        """`colorcli models` shows it."""
        length = len(self.colorizer.summary)
        assert length <= MAX_SUMMARY_LENGTH, (
            f"the summary must have at most {MAX_SUMMARY_LENGTH} characters, got {length}"
        )

    def test_every_license_is_an_spdx_identifier(self) -> None:
        """Users and programs decide by it what the weights may be used for."""
        for tag, weights in self.colorizer.weights.items():
            assert _SPDX.fullmatch(weights.license), f"the weights {tag}: not an SPDX identifier: {weights.license!r}"

    def test_every_option_is_documented_and_bounded(self) -> None:
        """`-p name=value` is checked against what the option declares."""
        problems = problems_of_options(self.colorizer.options)
        assert not problems, "; ".join(problems)

    # Its module

    def test_its_module_imports_nothing_slow(self) -> None:
        """Torch takes a second to import, and everyone who lists the models would wait for it."""
        report = first_import(type(self.colorizer).__module__)
        slow = ", ".join(report.slow)
        assert not slow, f"{report.module} imports {slow} at its top; do it inside build and predict"

    def test_its_module_is_imported_within_a_second(self) -> None:
        """The best of three attempts counts."""
        report = first_import(type(self.colorizer).__module__)
        seconds = report.seconds
        for _ in range(2):
            if seconds > _MAX_IMPORT_SECONDS:
                seconds = min(seconds, import_afresh(report.module).seconds)
        assert seconds <= _MAX_IMPORT_SECONDS, (
            f"importing {report.module} takes {seconds:.1f} s; the limit is {_MAX_IMPORT_SECONDS:g} s"
        )

    def test_nothing_is_printed_to_standard_output(self) -> None:
        """Standard output carries results; colorcli sends what plugins print to standard error."""
        report, printed = first_import(type(self.colorizer).__module__), io.StringIO()
        assert not report.printed, f"importing {report.module} prints {report.printed[:60]!r}"
        with contextlib.redirect_stdout(printed):
            self._predict(self._network(), self._pictures()[0])
        assert not printed.getvalue(), f"build or predict prints {printed.getvalue()[:60]!r}; use logging"

    # What its network does

    def test_every_tag_builds_the_network_that_it_describes(self) -> None:
        """The hyperparameters in the manifest are all that `build` needs."""
        for tag, weights in self.colorizer.weights.items():
            network = self.colorizer.build(**weights.network)
            count = sum(parameter.numel() for parameter in network.parameters())
            assert weights.parameters in {0, count}, (
                f"the manifest says that {tag} has {weights.parameters} parameters; build has {count}"
            )

    def test_available_weights_fit_their_network_and_give_finite_chroma(self) -> None:
        """Bundled weights are always available: users need no network connection for them."""
        from colorcli.weights import read_state
        from colorcli.weights.fitting import build_network
        from colorcli.weights.resolver import local_path
        from colorcli.weights.verification import verify

        for tag, weights in self.colorizer.weights.items():
            path = local_path(weights)
            assert path or not weights.bundled, f"the bundled weights {tag} were not found: {weights.file}"
            if path:
                state = read_state(verify(path, weights), weights.format)
                network = build_network(self.colorizer, state, weights.network, path)
                size = weights.input_size or self.colorizer.size
                lightness = self._pictures(size)[0]
                try:
                    ab = self._model(network, size).predict(lightness, **weights.options)
                except ColorcliError as error:
                    raise AssertionError(f"the weights {tag}: {error}") from error
                assert_chroma(ab, lightness, f"with the weights {tag}")

    def test_chroma_has_two_finite_channels_for_every_picture(self) -> None:
        """(B, 1, H, W) in, (B, 2, h, w) out, for noise, black and white."""
        network = self._network()
        for lightness in self._pictures():
            assert_chroma(self._predict(network, lightness), lightness)

    def test_every_option_gives_finite_chroma_at_its_bounds(self) -> None:
        """Or raises a UsageError that says why the network does not support a value."""
        network, lightness = self._network(), self._pictures()[0]
        for option in self.colorizer.options:
            for value in _extremes(option):
                try:
                    ab = self._predict(network, lightness, **{option.name: value})
                except UsageError:
                    continue
                assert_chroma(ab, lightness, f"with -p {option.name}={value}")

    def test_pictures_of_any_size_are_colored(self) -> None:
        """Down to a single pixel: the host scales them to a square, or pads them."""
        import numpy as np

        model = self._model(self._network(), self._square())
        for height, width in _SIZES:
            gray = np.linspace(0, 255, height * width, dtype=np.uint8).reshape(height, width)
            try:
                colored = model.colorize(gray)
            except Exception as error:
                raise AssertionError(f"a picture of {width} x {height} fails: {reason(error)}") from error
            assert colored.shape == (height, width, 3), f"a picture of {width} x {height} became {colored.shape}"

    def test_every_picture_has_its_own_notes(self) -> None:
        """If `predict` returns a Prediction: `colorcli run --json` shows its notes."""
        lightness = self._pictures()[-1]
        predicted = self._predicted(self._network(), lightness)
        if not isinstance(predicted, Prediction):
            return
        count = len(predicted.notes)
        assert count == len(lightness), (
            f"predict must return a note for each of {len(lightness)} pictures, got {count}"
        )
        for note in predicted.notes:
            fine = all(isinstance(key, str) and isinstance(value, (str, int, float)) for key, value in note.items())
            assert fine, f"a note must map text to text or numbers, got {note!r}"

    def test_predict_does_not_modify_the_lightness(self) -> None:
        """The host may use it again."""
        lightness = self._pictures()[0]
        before = lightness.clone()
        self._predict(self._network(), lightness)
        assert lightness.equal(before), "predict modified the lightness that it was given"

    def test_a_picture_gets_the_same_chroma_alone_as_in_a_batch(self) -> None:
        """The chroma of a picture depends on that picture only."""
        network, batch = self._network(), self._pictures()[-1]
        together = self._predict(network, batch)
        alone = [self._predict(network, lightness) for lightness in one_by_one(batch)]
        change = max(map(difference, one_by_one(together), alone))
        assert change <= _TOLERANCE, f"a picture's chroma changes by {change:.2%} with the others in the batch"

    def test_the_same_picture_gets_the_same_chroma_again(self) -> None:
        """Nothing is random, and nothing is remembered from one picture to the next."""
        network, lightness = self._network(), self._pictures()[0]
        first = self._predict(network, lightness)
        change = difference(first, self._predict(network, lightness))
        assert change <= _TOLERANCE, f"a picture's chroma changes by {change:.2%} when it is predicted again"

    def test_threads_do_not_mix_their_pictures(self) -> None:
        """The host shares one network among its threads: what `predict` stores must be local."""
        network, batch = self._network(), self._pictures()[-1]
        pictures = one_by_one(batch)
        alone = [self._predict(network, lightness) for lightness in pictures]

        def predict(lightness: Tensor) -> Tensor:
            with stdout_to_stderr():  # threads do not inherit it
                return self._predict(network, lightness)

        with ThreadPoolExecutor(len(pictures)) as pool:
            together = list(pool.map(predict, pictures * 2))
        change = max(map(difference, together, alone * 2))
        assert change <= _TOLERANCE, f"chroma changes by {change:.2%} while other threads predict"

    def test_a_seed_always_gives_the_same_coloring_and_another_seed_another(self) -> None:
        """If it overrides `sample`."""
        if not declares(self.colorizer, "sample"):
            return
        network, batch = self._network(), self._pictures()[-1]
        first = self._called("sample", network, batch, seed=1)
        assert_chroma(first, batch, "with seed=1")
        alone = [self._called("sample", network, lightness, seed=1) for lightness in one_by_one(batch)]
        change = max(map(difference, one_by_one(first), alone))
        assert change <= _TOLERANCE, f"the coloring of a seed changes by {change:.2%} when it is drawn again"
        other = self._called("sample", network, batch, seed=2)
        assert difference(first, other) > _TOLERANCE, "two seeds gave the same coloring"

    def test_hints_are_for_the_picture_that_they_are_given_for(self) -> None:
        """If it overrides `predict_with_hints`: without any, it gives what `predict` does."""
        if not declares(self.colorizer, "predict_with_hints"):
            return
        import torch

        network, batch = self._network(), self._pictures()[-1]
        hints = torch.zeros(len(batch), 3, *batch.shape[-2:])
        without = self._called("predict_with_hints", network, batch, hints)
        change = difference(self._predict(network, batch), without)
        assert change <= _TOLERANCE, f"without hints, chroma differs by {change:.2%} from that of predict"
        hints[0, :, 1:5, 2:6] = torch.tensor([50.0, -30.0, 1.0])[:, None, None]
        hinted = self._called("predict_with_hints", network, batch, hints)
        assert_chroma(hinted, batch, "with hints")
        change = difference(hinted[1:], without[1:])
        assert change <= _TOLERANCE, f"a picture's chroma changes by {change:.2%} with the hints of another"
        pairs = zip(one_by_one(batch), one_by_one(hints), strict=True)
        alone = [self._called("predict_with_hints", network, *pair) for pair in pairs]
        change = max(map(difference, one_by_one(hinted), alone))
        assert change <= _TOLERANCE, f"with hints, a picture's chroma changes by {change:.2%} with others in the batch"

    def test_the_entropy_of_a_picture_is_in_bits_and_depends_on_that_picture_only(self) -> None:
        """If it overrides `explain`: (B, 1, h, w), finite, 0 or more."""
        if not declares(self.colorizer, "explain"):
            return
        network, batch = self._network(), self._pictures()[-1]
        bits = self._called("explain", network, batch)
        assert bits.ndim == 4, f"explain must return (B, 1, h, w), got {tuple(bits.shape)}"
        assert bits.shape[:2] == (len(batch), 1), f"explain must return (B, 1, h, w), got {tuple(bits.shape)}"
        assert bits.isfinite().all(), "explain returned infinities or NaN"
        assert bits.min() > -1e-3, f"an entropy must be 0 or more, got {bits.min():.3f}"
        alone = [self._called("explain", network, lightness) for lightness in one_by_one(batch)]
        change = max(map(difference, one_by_one(bits), alone))
        assert change <= _TOLERANCE, f"a picture's entropy changes by {change:.2%} with the others in the batch"

    def test_likely_colors_have_probabilities(self) -> None:
        """If it overrides `likely_colors`: (n, 3), a, b and a probability, also for places at the edges."""
        if not declares(self.colorizer, "likely_colors"):
            return
        model = self._model(self._network(), self.colorizer.size)
        for place in ((0.0, 0.0), (0.5, 0.25), (1.0, 1.0)):
            try:
                model.likely_colors(self._pictures()[0][:1], place)
            except Exception as error:
                raise AssertionError(f"at {place}: {reason(error)}") from error

    def test_weights_survive_being_saved_and_loaded(self) -> None:
        """The state dict contains everything that was learned."""
        from colorcli.weights import Header, open_file, write_state

        network, lightness = self._network(), self._pictures()[0]
        with TemporaryDirectory(prefix="colorcli-") as folder:
            file = Path(folder) / "weights.safetensors"
            write_state(file, network.state_dict(), Header(self.colorizer.name, "test", dict(self.small)))
            state, hyperparameters = open_file(file)
            again = self.colorizer.build(**hyperparameters).eval()
            again.load_state_dict(state, strict=True)
        change = difference(self._predict(network, lightness), self._predict(again, lightness))
        assert change <= _TOLERANCE, f"chroma changes by {change:.2%} when the weights are saved and loaded"

    def test_predict_works_on_every_available_device_in_every_precision(self) -> None:
        """In fp32 and bf16, and on GPUs in fp16."""
        lightness = self._pictures()[0]
        for device in _devices():
            for precision in ("fp32", "bf16") if device == "cpu" else ("fp32", "bf16", "fp16"):
                try:
                    ab = self._model(self._network(), self.colorizer.size, device, precision).predict(lightness)
                except Exception as error:
                    raise AssertionError(f"on {device} in {precision}: {reason(error)}") from error
                assert_chroma(ab, lightness, f"on {device} in {precision}")

    # How it learns

    def test_training_steps_give_finite_losses_and_change_the_network(self) -> None:
        """If it has a recipe, which must work on the CPU."""
        if not self._trainable():
            return
        recipe, batch = self._recipe(), self._examples()
        network = self._start(recipe, recipe.survey([batch.ab], self.categories))
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        for _ in range(2):  # the first step of a warm-up may have length 0
            losses = recipe.step(batch)
        assert losses, "step returned no loss"
        for name, loss in losses.items():
            assert loss.ndim == 0, f"the loss {name} must be a scalar, got {tuple(loss.shape)}"
            assert not loss.requires_grad, f"the loss {name} must be detached: it keeps the whole graph in memory"
            assert loss.isfinite(), f"the loss {name} must be finite, got {loss}"
        changed = [name for name, parameter in network.named_parameters() if not parameter.equal(before[name])]
        assert changed, "two training steps changed no parameter"

    def test_resumed_training_equals_uninterrupted_training(self) -> None:
        """The state of a recipe is all that is needed besides the network's own."""
        if not self._trainable():
            return
        import torch

        recipe, resumed, batch = self._recipe(), self._recipe(), self._examples()
        survey = recipe.survey([batch.ab], self.categories)
        network = self._start(recipe, survey)
        recipe.step(batch)
        weights = deepcopy(network.state_dict())
        resumed.load(deepcopy(recipe.state()))
        again = self._start(resumed, survey)
        again.load_state_dict(weights)
        for each in (recipe, resumed):
            torch.manual_seed(1)
            each.step(batch)
        for (name, straight), other in zip(network.named_parameters(), again.parameters(), strict=True):
            assert torch.allclose(straight, other, atol=1e-6), f"{name} differs after training was resumed"


def _extremes(option: Option) -> Sequence[OptionValue]:
    if isinstance(option.default, bool):
        return (False, True)
    if isinstance(option.default, str):
        return option.choices or ("", "x" * int(option.maximum or 0))
    kind = type(option.default)
    return [kind(bound) for bound in (option.minimum, option.maximum) if bound is not None]


def _devices() -> list[str]:
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["cpu", *(device for device, is_available in available.items() if is_available)]
