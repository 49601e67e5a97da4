"""Pretrained networks that metrics use to judge pictures, and their weights."""

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
    """Loads the weights of a pretrained network when they are first needed.

    Args:
        name: name of the metric, for messages.
        url: URL of the weights, written by `torch.save`; the file name ends with the first digits of its sha256.
        file: a local weights file; None for torch's cache, filled from `url` if necessary.
        device: device to compute on, in float32.
        offline: do not download anything.
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
        """Load all weights into a network, and prepare it for inference.

        Args:
            network: network of the published architecture; its parameters may be on the `meta` device.
            rename: prefixes of names in the file, and what they are in this network. Without it, names are the same.

        Raises:
            WeightsNotFound: the weights are not available locally, and cannot or must not be downloaded.
            WeightsCorrupt: the weights do not fit this network.
        """
        state = self._state
        if rename:
            pairs = ((old, new, key) for key in state for old, new in rename.items() if key.startswith(old))
            state = {new + key.removeprefix(old): state[key] for old, new, key in pairs}
        wanted = network.state_dict()
        wrong = [key for key, own in wanted.items() if key not in state or state[key].shape != own.shape]
        if wrong:
            raise WeightsCorrupt(
                f"{self._path} does not fit {self.name}: {wrong[0]} is missing or has another shape.",
                f"Download {self.url}.",
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

        hint = f"Download {self.url} to that path, or use another file: --metrics {self.name}=FILE."
        if self.file or self.offline or constants.HF_HUB_OFFLINE:
            raise WeightsNotFound(f"The weights for {self.name} were not found: {path}.", hint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = path.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(self.url, str(path), hash_prefix=digest, progress=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: the hash differs
            message = f"The weights for {self.name} cannot be downloaded from {self.url} to {path}: {error}."
            raise WeightsNotFound(message, hint) from error


def missing_extra(package: str) -> UsageError:
    """Make the error for a missing package from the extra `metrics`."""
    return UsageError(f"{package} is not installed.", 'Install it: pip install "colorcli[metrics]"')
