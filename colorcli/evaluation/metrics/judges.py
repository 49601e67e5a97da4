"""Networks that were trained by others, and judge pictures: where their weights come from."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights import read_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


class Judge:
    """A network that is put together and given its weights when it is first asked.

    Args:
        name: of the metric, for messages.
        url: of the weights, a file of `torch.save` whose name ends in the beginning of its sha256.
        file: the weights where they are here already; None for those that torch keeps, or the ones at `url`.
        device: to compute on, in float32.
        offline: never touch the network.
    """

    def __init__(
        self,
        name: str,
        url: str,
        file: Path | None = None,
        device: str | torch.device = "cpu",
        *,
        offline: bool = False,
    ) -> None:
        self.name = name
        self.url = url
        self.file = file
        self.device = torch.device(device)
        self.offline = offline

    def load(self, network: nn.Module, rename: Mapping[str, str] | None = None) -> nn.Module:
        """Give a network its weights, all of them, and get it ready.

        Args:
            network: of the published architecture, with any weights; they may be on the device `meta`.
            rename: what the beginnings of the file's names are in this network; others stay as they are.

        Raises:
            WeightsNotFound: they are not here, and cannot be fetched or shall not be.
            WeightsCorrupt: they are not those of this network.
        """
        state = self._state
        if rename:
            pairs = ((old, new, key) for key in state for old, new in rename.items() if key.startswith(old))
            state = {new + key.removeprefix(old): state[key] for old, new, key in pairs}
        wanted = network.state_dict()
        wrong = [key for key, own in wanted.items() if key not in state or state[key].shape != own.shape]
        if wrong:
            raise WeightsCorrupt(
                f"{self._path} does not have the weights of {self.name}: {wrong[0]} is missing or has another shape.",
                f"Get {self.url}.",
            )
        network.load_state_dict({key: state[key] for key in wanted}, assign=True)
        return network.to(self.device, torch.float32).eval().requires_grad_(requires_grad=False)

    @cached_property
    def _state(self) -> dict[str, Tensor]:
        path = self._path
        if not path.is_file():
            self._fetch(path)
        return read_state(path, "torch")

    @property
    def _path(self) -> Path:
        return self.file or Path(torch.hub.get_dir()) / "checkpoints" / self.url.rpartition("/")[2]

    def _fetch(self, path: Path) -> None:
        from huggingface_hub import constants

        hint = f"Put {self.url} there, or name another file: --metrics {self.name}=FILE."
        if self.file or self.offline or constants.HF_HUB_OFFLINE:
            raise WeightsNotFound(f"The weights of {self.name} are not here: {path}.", hint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = path.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(self.url, str(path), hash_prefix=digest, progress=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: another digest
            message = f"The weights of {self.name} cannot be fetched from {self.url}: {error}."
            raise WeightsNotFound(message, hint) from error


def not_installed(package: str) -> UsageError:
    """Make the error of a package that an extra brings."""
    return UsageError(f"{package} is not installed.", 'Install it with: pip install "colorcli[metrics]"')


def normalized(rgb: Tensor) -> Tensor:
    """Bring sRGB (..., 3, H, W) in 0..1 to what networks of torchvision expect."""
    mean, spread = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], device=rgb.device)[:, :, None, None]
    ready: Tensor = (rgb - mean) / spread
    return ready
