"""A device without hardware: tensors on it live in this process, and every transfer and every wait is counted."""

from collections import Counter

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

IS_POSSIBLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
_WAITING = {"aten._local_scalar_dense.default", "aten.nonzero.default", "aten.masked_select.default"}


class _Backend:
    """What torch asks of a backend."""

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def is_initialized():
        return True

    @staticmethod
    def device_count():
        return 1

    @staticmethod
    def current_device():
        return 0

    @staticmethod
    def _is_in_bad_fork():
        return False

    @staticmethod
    def manual_seed_all(_seed):
        pass

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.bfloat16, torch.float16]


if IS_POSSIBLE:
    backend_registration._setup_privateuseone_for_python_backend("remote", backend_module=_Backend())


class RemoteTensor(torch.Tensor):
    """A tensor that claims to be on the device, and may only be used while a `Remote` is active."""

    @staticmethod
    def __new__(cls, here):
        return torch.Tensor._make_wrapper_subclass(
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype,
            device=torch.device("remote:0"),
        )  # fmt: skip

    def __init__(self, here):
        self.here = here

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        raise AssertionError(f"{operation} outside of the device")


class Remote(TorchDispatchMode):
    """The device while it is switched on.

    Attributes:
        uploads: the shape of everything that was copied to the device, in order.
        downloads: the shape of everything that was copied from it, in order.
        waits: how often the computer had to wait for a value on the device, by operation.
    """

    def __init__(self):
        super().__init__()
        self.device = torch.device("remote")  # without a number, as users write cuda
        self.uploads, self.downloads, self.waits = [], [], Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        was_remote = any(isinstance(each, RemoteTensor) for each in given)
        device = kwargs.get("device")
        remote = was_remote if device is None else device.type == "remote"
        if str(operation) == "aten.copy_.default":
            remote, was_remote = (isinstance(each, RemoteTensor) for each in args[:2])
        elif device is not None and remote:
            kwargs["device"] = torch.device("cpu")
        if str(operation) in _WAITING and was_remote:
            self.waits[str(operation)] += 1
        if given and remote != was_remote:
            (self.uploads if remote else self.downloads).append(tuple(given[-1].shape))
        elif remote and any(each.ndim and not isinstance(each, RemoteTensor) for each in given):
            raise AssertionError(f"{operation} mixes tensors of the device with others")
        plain = tree_map_only(RemoteTensor, lambda each: each.here, (args, kwargs))
        result = operation(*plain[0], **plain[1])
        if str(operation) == "aten.copy_.default":
            return args[0]
        return tree_map_only(torch.Tensor, _moved, result) if remote else result


def _moved(tensor):
    if isinstance(tensor, RemoteTensor):
        return tensor
    with torch.inference_mode(mode=False):  # views of inference tensors of other classes are not supported
        return RemoteTensor(tensor)
