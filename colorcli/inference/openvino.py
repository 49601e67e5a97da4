"""Running networks with OpenVINO: exported once, cached on disk, and called as before.

OpenVINO replaces the `forward` of a network, or of its deferred parts if it has any. Everything around them stays in
torch. Networks are exported in float32; the precision applies when they are compiled. Pictures are processed one by
one, which costs nothing on a CPU and makes results independent of the batch.
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
from colorcli.inference.preprocess import triangle_filter
from colorcli.inference.tracing import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from colorcli.inference.device import Device

_log = logging.getLogger("colorcli")
_FORM = ["colorcli", "form"]  # the key of the form of results in an export
_PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}
_EXAMPLE = (64, 96)  # minimum sides of an example for dynamic shapes; not square, or the export would be
_PLAIN = (bool, int, float, str, tuple, type(None))


def is_installed() -> bool:
    """Whether OpenVINO is installed; it is not imported."""
    return find_spec("openvino") is not None


def serve(part: nn.Module, device: Device, step: int | None, give_up: Callable[[], None]) -> None:
    """Run a network with OpenVINO from now on.

    Args:
        part: the network, in eval mode; its weights must be float32 on the CPU when it is called.
        device: device, which determines the precision.
        step: for pictures of any size, the number that their sides are multiples of; None to export every input shape
            separately.
        give_up: called once if the network cannot be exported, before torch takes over.
    """
    part.forward = _OpenVinoForward(part, device, step, give_up)


@dataclass(frozen=True)
class _Compiled:
    """A compiled network, and the form of its results: `tensor`, or `tuple` and then `tensor` or `none` for each."""

    network: Any
    form: list[str]


class _OpenVinoForward:
    """Replaces the `forward` of a network."""

    def __init__(self, part: nn.Module, device: Device, step: int | None, give_up: Callable[[], None]) -> None:
        self._part = part
        self._in_torch = part.forward
        self._precision = _PRECISIONS[device.dtype]
        self._step = step
        self._give_up = give_up
        self._given_up = False
        self._cores = torch.get_num_threads()
        self._compiled: dict[object, _Compiled] = {}
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
        """Return the network compiled for these inputs and the caller's number of threads; None to use torch."""
        supported = not named and all(isinstance(each, Tensor) and each.is_floating_point() for each in inputs)
        shapes = tuple(self._shape(each) for each in inputs) if supported else None
        key = shapes, torch.get_num_threads()
        if not self._given_up and key not in self._compiled:
            with alone():
                self._prepare(*key)
        return None if self._given_up else self._compiled[key]

    def _prepare(self, shapes: tuple[tuple[int, ...], ...] | None, threads: int) -> None:
        """Export and compile the network, unless another thread has done so, or give up with a warning."""
        if self._given_up or (shapes, threads) in self._compiled:
            return
        try:
            if shapes is None:
                raise TypeError("its arguments must be floating-point tensors")
            self._compiled[shapes, threads] = _compile(self._exported(shapes), self._precision, self._cores)
        except ColorcliError:  # raised by the network itself, about its input
            raise
        except Exception as error:  # exporters raise errors of many kinds
            reason = textwrap.shorten(str(error), 160, placeholder=" ...") or type(error).__name__
            _log.warning("OpenVINO cannot run %s. Using torch instead: %s", type(self._part).__name__, reason)
            self._give_up()
            self._given_up = True

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the shape of one picture to export for, with 0 for dynamic sides."""
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
        except (OSError, RuntimeError):  # such as a full disk: the next run exports again
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
    """Import OpenVINO without its telemetry, which reports every import and every export."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes the import fail
    import openvino

    return openvino


def _compile(model: Any, precision: str, cores: int) -> _Compiled:
    """Compile a network for callers that each have as many threads as this one."""
    threads = torch.get_num_threads()
    callers = max(1, cores // threads)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads * callers,
        "NUM_STREAMS": callers,
        "ENABLE_CPU_PINNING": False,  # would pin two programs to the same cores
    }
    return _Compiled(_core().compile_model(model, "CPU", settings), str(model.get_rt_info(_FORM).value).split())


# Exporting


class _Exportable(nn.Module):
    """A network that returns a tuple of tensors, and passes the original form to `record`."""

    def __init__(self, part: nn.Module, forward: Callable[..., Any], record: Callable[[list[str]], None]) -> None:
        super().__init__()
        self.part = part  # for its parameters
        # Not the record itself: an export resets attributes, and older ones fail where a list has grown.
        self._forward, self._record = forward, record

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        result = self._forward(*inputs)
        if isinstance(result, Tensor):
            self._record(["tensor"])
            return (result,)
        if not isinstance(result, tuple) or not all(each is None or isinstance(each, Tensor) for each in result):
            raise TypeError(f"it must return a tensor or a tuple of tensors, got {type(result).__name__}")
        self._record(["tuple", *("none" if each is None else "tensor" for each in result)])
        return tuple(each for each in result if each is not None)


def _export(part: nn.Module, forward: Callable[..., Any], shapes: Sequence[Sequence[int]], step: int) -> Any:
    """Convert a network to an OpenVINO model with `torch.export`; sides of 0 are dynamic."""
    sides = [-(-least // step) * step for least in _EXAMPLE]
    examples = tuple(torch.zeros([*shape[:2], *sides] if 0 in shape else list(shape)) for shape in shapes)
    height, width = (step * torch.export.Dim(name, min=1) for name in ("height", "width"))
    left_open = tuple({2: height, 3: width} if 0 in shape else None for shape in shapes)
    forms: list[list[str]] = []
    exportable = _Exportable(part, forward, forms.append)
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
            raise ValueError("it contains a tensor without elements")  # OpenVINO would divide by zero and abort
        model = _openvino().convert_model(program)
    model.reshape({index: [side or -1 for side in shape] for index, shape in enumerate(shapes)})
    model.set_rt_info(" ".join(forms[-1]), _FORM)
    return model


def _antialiased(x: Tensor, size: Sequence[int], _align_corners: bool, _scales: object = None) -> Tensor:
    """Scale (B, C, H, W) as antialiased bilinear `interpolate` does, with operations that OpenVINO supports."""
    return triangle_filter(x.shape[-2], size[0]).T @ x @ triangle_filter(x.shape[-1], size[1])


def _replaced(x: Tensor, part: Tensor, dim: int, index: int) -> Tensor:
    """Replace one slice of a tensor, such as a channel, with operations that OpenVINO supports."""
    index %= x.shape[dim]
    before, after = x.narrow(dim, 0, index), x.narrow(dim, index + 1, x.shape[dim] - index - 1)
    return torch.cat([each for each in (before, part.unsqueeze(dim), after) if each.shape[dim]], dim)


# The cache


def _folder() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "colorcli" / "openvino"


def _keep(model: Any, path: Path) -> None:
    """Save an export atomically; an export that another process saved first is just as good."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path.parent, ignore_errors=True)  # the export may be damaged
    with tempfile.TemporaryDirectory(dir=path.parent.parent, ignore_cleanup_errors=True) as name:
        folder = Path(name) / "whole"
        folder.mkdir()
        _openvino().save_model(model, folder / path.name, compress_to_fp16=False)
        folder.rename(path.parent)


def _digest(part: nn.Module, *shape: object) -> str:
    """Compute a digest of everything that an export depends on: weights, attributes, code, versions, shape."""
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
    """List the source files of the packages that define a network's modules, except torch itself."""
    packages = {type(module).__module__.partition(".")[0] for module in part.modules()} - {"torch", "torchvision"}
    files = {
        str(file)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages and (file := getattr(module, "__file__", None))
    }
    return [Path(file) for file in sorted(files) if file.endswith(".py")]
