"""What plugins change of the process is named and undone."""

import io
import os
import signal
import sys
import warnings

import pytest
import torch

from colorcli import Colorizer
from colorcli.isolation.guard import guard
from colorcli.isolation.process_state import ProcessState


def change_folder():
    os.chdir("/")


def set_variable():
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def remove_variable():
    del os.environ["HOME"]


def configure_logging():
    import logging

    logging.root.addHandler(logging.NullHandler())
    logging.root.setLevel(1)


def replace_streams():
    sys.stdout, sys.stderr = io.StringIO(), None


def clear_search_path():
    sys.path.clear()


def lower_recursion_limit():
    sys.setrecursionlimit(sys.getrecursionlimit() - 1)


def ignore_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def change_default_dtype():
    torch.set_default_dtype(torch.float64)


CHANGES = {
    change_folder: "changes the working directory to /",
    set_variable: "changes the environment (CUDA_VISIBLE_DEVICES)",
    remove_variable: "changes the environment (HOME)",
    configure_logging: "changes the root logger",
    replace_streams: "replaces standard output or standard error",
    clear_search_path: "removes folders from the path of modules",
    lower_recursion_limit: "lowers the recursion limit",
    ignore_ctrl_c: "handles signals (SIGINT)",
    change_default_dtype: "changes the default type of tensors",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_named_and_undone(change, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    before = ProcessState.now()
    change()
    assert before.restore() == [CHANGES[change]]
    assert ProcessState.now() == before


def test_variables_that_libraries_set_for_themselves_are_removed_silently():
    before = ProcessState.now()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/tmp"
    assert before.restore() == []
    assert ProcessState.now() == before


def test_warnings_do_not_become_errors_in_other_code(monkeypatch):
    monkeypatch.setattr(sys, "warnoptions", [])
    before = ProcessState.now()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert before.restore() == ["makes warnings errors"]
        warnings.simplefilter("ignore")
        warnings.warn("harmless", stacklevel=1)


def test_a_network_does_not_change_the_type_of_the_next_one():
    class Doubling(Colorizer):
        name = "doubling"
        summary = "A formula."
        build = predict = None

    with guard(Doubling(), "predict"):
        torch.set_default_dtype(torch.float64)
    assert torch.get_default_dtype() == torch.float32


def test_what_is_added_to_the_path_of_modules_stays(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = ProcessState.now()
    sys.path.append("/vendored")
    assert before.restore() == []
    assert sys.path[-1] == "/vendored"
