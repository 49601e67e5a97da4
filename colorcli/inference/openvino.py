"""Networks that OpenVINO computes: exported once, kept for the next time, and called as before.

What is served is the `forward` of a network, or those of its deferred parts where it has any. What a colorizer does
around them stays in torch. An export is of float32; the precision is that of the computing. Pictures go through one
by one, which costs nothing on a CPU, so that a batch never changes a picture.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import tempfile
import textwrap
import threading
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from colorcli.errors import ColorcliError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from colorcli.inference.device import Device

_log = logging.getLogger("colorcli")
_FORM = ["colorcli", "form"]  # where an export says which of its results are tensors and which are None
_PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}
_EXAMPLE = (64, 96)  # at least, of a picture whose sides are left open: no square, lest it be taken for one
_PLAIN = (bool, int, float, str, tuple, type(None))


def is_installed() -> bool:
    """Tell whether there is OpenVINO, without importing it."""
    return find_spec("openvino") is not None


def serve(part: nn.Module, device: Device, step: int | None, give_up: Callable[[], None]) -> None:
    """Let OpenVINO compute a network from now on.

    Args:
        part: the network, in eval mode; its weights are in float32 on the CPU by the time that it is called.
        device: tells the precision to compute in.
        step: None where every shape of the input is exported for itself; else sides are left open, in multiples of it.
        give_up: called once where the network cannot be exported, and torch computes it after all.
    """
    part.forward = _Served(part, device, step, give_up)


@dataclass(frozen=True)
class _Compiled:
    """A network ready to compute, and what its results are: `tensor`, or `tuple` and for each `tensor` or `none`."""

    network: Any
    form: list[str]


class _Served:
    """Takes the place of the `forward` of a network."""

    def __init__(self, part: nn.Module, device: Device, step: int | None, give_up: Callable[[], None]) -> None:
        self._part = part
        self._in_torch = part.forward
        self._precision = _PRECISIONS[device.dtype]
        self._step = step
        self._give_up = give_up
        self._given_up = False
        self._cores = torch.get_num_threads()
        self._compiled: dict[object, _Compiled] = {}
        self._compiling = threading.Lock()
        self._of_thread = threading.local()

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        compiled = self._ready(inputs, named)
        if compiled is None:
            return self._in_torch(*inputs, **named)
        request, form = self._request(compiled.network), compiled.form
        pictures = []
        for index in range(len(inputs[0])):
            request.infer([each[index : index + 1].float().contiguous().numpy() for each in inputs], share_inputs=True)
            pictures.append([torch.from_numpy(each.data.copy()) for each in request.output_tensors])
        results = iter(pictures[0] if len(pictures) == 1 else map(torch.cat, zip(*pictures, strict=True)))
        if form == ["tensor"]:
            return next(results)
        return tuple(next(results) if each == "tensor" else None for each in form[1:])

    def _ready(self, inputs: Sequence[Any], named: object) -> _Compiled | None:
        """Give the network compiled for these inputs and for as many threads as the caller has; None for torch."""
        with self._compiling:
            if self._given_up:
                return None
            try:
                if named or not all(isinstance(each, Tensor) and each.is_floating_point() for each in inputs):
                    raise TypeError("it is called with more than tensors of fractions")
                shapes = tuple(self._shape(each) for each in inputs)
                key = shapes, torch.get_num_threads()
                if key not in self._compiled:
                    self._compiled[key] = _compile(self._exported(shapes), self._precision, self._cores)
                return self._compiled[key]
            except ColorcliError:  # the network's own, about its input
                raise
            except Exception as error:  # whatever an exporter says to a network that it does not know
                reason = textwrap.shorten(str(error), 160, placeholder=" ...") or type(error).__name__
                _log.warning("OpenVINO cannot compute %s, torch does: %s", type(self._part).__name__, reason)
                self._given_up = True
                self._give_up()
                return None

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Give the shape to export for, of one picture, with 0 where it is left open."""
        sides_open = self._step is not None and tensor.ndim == 4
        return (1, tensor.shape[1], 0, 0) if sides_open else (1, *tensor.shape[1:])

    def _exported(self, shapes: Sequence[Sequence[int]]) -> Any:
        path = _folder() / _digest(self._part, shapes, self._step) / "network.xml"
        try:
            if path.exists():
                return _core().read_model(path)
        except RuntimeError:
            _log.debug("%s is damaged", path, exc_info=True)
        model = _export(self._part, self._in_torch, shapes, self._step or 1)
        try:
            _keep(model, path)
            return _core().read_model(path)
        except (OSError, RuntimeError):  # a disk that is full: the next run exports again
            return model

    def _request(self, network: Any) -> Any:
        requests = vars(self._of_thread).setdefault("requests", {})
        if network not in requests:
            requests[network] = network.create_infer_request()
        return requests[network]


@cache
def _core() -> Any:
    return _openvino().Core()


def _openvino() -> Any:
    """Import OpenVINO without its telemetry, which would tell its makers of every import and every export."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # that is, not to be found
    import openvino

    return openvino


def _compile(model: Any, precision: str, cores: int) -> _Compiled:
    """Make a network ready for callers that have so many threads each as the one who asks."""
    threads = torch.get_num_threads()
    callers = max(1, cores // threads)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads * callers,
        "NUM_STREAMS": callers,
        "ENABLE_CPU_PINNING": False,  # two programs would be pinned to the same cores
    }
    return _Compiled(_core().compile_model(model, "CPU", settings), str(model.get_rt_info(_FORM).value).split())


# Exporting


class _Exportable(nn.Module):
    """A network whose results are a tuple of tensors; what they were is added to `form`."""

    def __init__(self, part: nn.Module, forward: Callable[..., Any], form: list[str]) -> None:
        super().__init__()
        self.part = part  # for its parameters
        self._call = forward, form  # not an attribute of its own, which an export would set back

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        forward, form = self._call
        result = forward(*inputs)
        if isinstance(result, Tensor):
            form[:] = ["tensor"]
            return (result,)
        if not isinstance(result, tuple) or not all(each is None or isinstance(each, Tensor) for each in result):
            raise TypeError(f"it returns {type(result).__name__}, neither a tensor nor a tuple of tensors")
        form[:] = ["tuple", *("none" if each is None else "tensor" for each in result)]
        return tuple(each for each in result if each is not None)


def _export(part: nn.Module, forward: Callable[..., Any], shapes: Sequence[Sequence[int]], step: int) -> Any:
    """Turn a network, through `torch.export`, into a model of OpenVINO's; sides of 0 are left open."""
    sides = [-(-least // step) * step for least in _EXAMPLE]
    examples = tuple(torch.zeros([*shape[:2], *sides] if 0 in shape else list(shape)) for shape in shapes)
    height, width = (step * torch.export.Dim(name, min=1) for name in ("height", "width"))
    left_open = tuple({2: height, 3: width} if 0 in shape else None for shape in shapes)
    form: list[str] = []
    exportable = _Exportable(part, forward, form)
    with torch.inference_mode(mode=False), torch.no_grad(), torch.autocast("cpu", enabled=False):
        program = torch.export.export(
            exportable, examples, dynamic_shapes=(left_open,) if any(left_open) else None, strict=False
        )
        program = program.run_decompositions(
            {
                torch.ops.aten._upsample_bilinear2d_aa.vec: _antialiased,
                torch.ops.aten.select_scatter.default: _replaced,
            }
        )
        if any(0 in tuple(getattr(node.meta.get("val"), "shape", ())) for node in program.graph.nodes):
            raise ValueError("a tensor in it has no elements")  # which ends the whole process, divided by zero
        model = _openvino().convert_model(program)
    model.reshape({index: [side or -1 for side in shape] for index, shape in enumerate(shapes)})
    model.set_rt_info(" ".join(form), _FORM)
    return model


def _antialiased(x: Tensor, size: Sequence[int], _align_corners: bool, _scales: object = None) -> Tensor:
    """Scale (B, C, H, W) as `interpolate` does bilinearly and antialiased, in operations that OpenVINO knows."""
    return _weights(x.shape[-2], size[0]) @ x @ _weights(x.shape[-1], size[1]).T


def _replaced(x: Tensor, part: Tensor, dim: int, index: int) -> Tensor:
    """Replace one slice of a tensor, such as a channel, in operations that OpenVINO knows."""
    index %= x.shape[dim]
    before, after = x.narrow(dim, 0, index), x.narrow(dim, index + 1, x.shape[dim] - index - 1)
    return torch.cat([each for each in (before, part.unsqueeze(dim), after) if each.shape[dim]], dim)


def _weights(before: int, after: int) -> Tensor:
    """Write scaling by a triangle filter as a matrix (after, before)."""
    scale = before / after
    centers = (torch.arange(after) + 0.5) * scale
    distances = (torch.arange(before) + 0.5 - centers[:, None]).abs()
    weights = (1 - distances / max(scale, 1.0)).clamp_min(0)
    return weights / weights.sum(dim=1, keepdim=True)


# Keeping


def _folder() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "colorcli" / "openvino"


def _keep(model: Any, path: Path) -> None:
    """Save an export, whole or not at all; where another process was quicker, its is as good."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path.parent, ignore_errors=True)  # a damaged one
    with tempfile.TemporaryDirectory(dir=path.parent.parent, ignore_cleanup_errors=True) as name:
        folder = Path(name) / "whole"
        folder.mkdir()
        _openvino().save_model(model, folder / path.name, compress_to_fp16=False)
        folder.rename(path.parent)


def _digest(part: nn.Module, *shape: object) -> str:
    """Digest all that decides an export: weights, plain attributes, code, versions and shape."""
    digest = hashlib.sha256(repr((shape, [version(name) for name in ("colorcli", "torch", "openvino")])).encode())
    for name, module in part.named_modules():
        attributes = {key: value for key, value in vars(module).items() if isinstance(value, _PLAIN)}
        digest.update(repr((name, type(module).__qualname__, sorted(attributes.items()))).encode())
    for name, tensor in part.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy())
    for path in _code(part):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _code(part: nn.Module) -> list[Path]:
    """List the files of the packages that a network's modules are from, but for torch's own."""
    packages = {type(module).__module__.partition(".")[0] for module in part.modules()} - {"torch", "torchvision"}
    files = {
        str(file)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages and (file := getattr(module, "__file__", None))
    }
    return [Path(file) for file in sorted(files) if file.endswith(".py")]
