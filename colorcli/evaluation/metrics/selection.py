"""Choose the metrics of a table: the standard ones, and others by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UsageError, did_you_mean
from colorcli.evaluation.metrics import fid, lite2, perceptual, recognition
from colorcli.evaluation.metrics.judges import Judge
from colorcli.evaluation.metrics.standard import STANDARD, UnsignedColorfulness

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import torch

    from colorcli.metric import Metric

_JUDGES = {"lpips": perceptual.URL, "fid": fid.URL, "vgg16": recognition.URL}


def choose(
    asked: Sequence[str],
    plugins: Callable[[], Mapping[str, Metric]],
    *,
    categories: Collection[str] = (),
    device: str | torch.device = "cpu",
    offline: bool = False,
) -> list[Metric]:
    """Choose the metrics of a table.

    Args:
        asked: names of metrics beside the standard ones: `fid`, or `fid=FILE` for a local weights file;
            `recognition` adds two.
        plugins: returns the metrics of plugins by name; called for names that are not built in.
        categories: categories of the photographs.
        device: device on which pretrained networks run.
        offline: do not download anything.

    Raises:
        UsageError: a metric or a file is unknown, a metric is chosen twice, or it takes no file.
    """
    chosen = {metric.name: metric for metric in STANDARD}
    own = {"colorfulness_unsigned": UnsignedColorfulness}
    judged: Mapping[str, Callable[[Judge], Metric]] = {
        "lpips": perceptual.Lpips,
        "fid": fid.Fid,
        "vgg16": partial(recognition.Vgg16, categories=categories),
    }
    judge = lite2.Lite2(device)
    offline_judged: Mapping[str, Sequence[Metric]] = {
        "recognition": [lite2.Recognition(judge, categories), lite2.RecognitionTop5(judge, categories)],
        "fd_lite2": [lite2.FrechetLite2(judge)],
    }
    for name, _, given in (each.partition("=") for each in asked):
        file = Path(given) if given else None
        if file and name not in judged:
            raise UsageError(f"--metrics {name}={file}: {name} takes no file.", f"Write --metrics {name}.")
        if file and not file.is_file():
            raise UsageError(f"--metrics {name}={file}: file not found.")
        if name in chosen:
            raise UsageError(f"--metrics {name}: already in the table.", "Leave it out.")
        if name in judged:
            chosen[name] = judged[name](Judge(name, _JUDGES[name], file, device, offline=offline))
        elif name in offline_judged:
            chosen |= {metric.name: metric for metric in offline_judged[name]}
        elif name in own:
            chosen[name] = own[name]()
        elif name in (others := plugins()):
            chosen[name] = others[name]
        else:
            known = {*judged, *offline_judged, *own, *others}
            raise UsageError(f"Metric not found: {name}.", did_you_mean(name, known))
    return list(chosen.values())
