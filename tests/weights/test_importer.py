import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import colorcli
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.plugin.registry import Registry
from colorcli.weights import read_header
from colorcli.weights.importer import import_file
from colorcli.weights.verification import sha256_of
from tests.tiny import WIDTHS, tiny_network, write_tiny_weights
from tests.weights.conftest import describe
from tests.weights.test_files import Trap


class Tiny(type(Registry().get("zhang"))):
    """Zhang with tiny published weights."""

    name = "zhang"

    def adapt(self, state, network):
        return {key.removeprefix("module."): value for key, value in state.items()}


@pytest.fixture
def tiny():
    published = describe("published.pth", b"unknown", "someone/something", network={"widths": WIDTHS}, license="MIT")
    Tiny.weights = {"published": published}
    return Tiny()


@pytest.fixture
def checkpoint(tmp_path):
    """A file as PyTorch saves it after training on several devices."""
    state = {f"module.{name}": tensor for name, tensor in tiny_network().state_dict().items()}
    torch.save(state, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_a_published_checkpoint_becomes_a_file_with_a_header(checkpoint, tiny):
    file = import_file(checkpoint, tiny)
    assert file == checkpoint.with_suffix(".safetensors")
    header = read_header(file)
    assert (header.colorizer, header.tag, header.network) == ("zhang", "imported", {"widths": WIDTHS})
    model, same = (
        colorcli.load("zhang", weights=file),
        colorcli.load("zhang", weights=write_tiny_weights(file.parent / "w")),
    )
    lightness = torch.rand(1, 1, 32, 32) * 100
    assert model.predict(lightness).equal(same.predict(lightness))


def test_a_manifest_table_is_written_beside_it(checkpoint, tiny):
    file = import_file(checkpoint, tiny)
    (table,) = tomllib.loads(file.with_suffix(".toml").read_text()).values()
    assert (table["file"], table["sha256"], table["size"]) == (file.name, sha256_of(file), file.stat().st_size)
    assert table["parameters"] == sum(p.numel() for p in tiny_network().parameters())
    assert (table["license"], table["source"], table["network"]) == ("NOASSERTION", "theirs.pth", {"widths": WIDTHS})


def test_a_published_file_keeps_its_license_and_source(checkpoint, tiny):
    Tiny.weights = {"published": describe("p", checkpoint.read_bytes(), "a/b", network={"widths": WIDTHS})}
    table = tomllib.loads(import_file(checkpoint, tiny).with_suffix(".toml").read_text())
    assert table["published"]["license"] == "MIT"
    assert table["published"]["trained_on"] == "nothing"


def test_our_own_weights_keep_their_header(tmp_path, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    assert read_header(import_file(ours, tiny, target=tmp_path / "again.safetensors")) == read_header(ours)


def test_nothing_is_overwritten(tmp_path, checkpoint, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    with pytest.raises(UsageError, match=r"File already exists: .*ours\.safetensors") as caught:
        import_file(ours, tiny)
    assert "-o" in caught.value.hint
    checkpoint.with_suffix(".toml").touch()
    with pytest.raises(UsageError, match=r"File already exists: .*theirs\.toml"):
        import_file(checkpoint, tiny)


@pytest.mark.parametrize("change", ["a tensor missing", "a tensor too many", "another shape"])
def test_a_file_that_does_not_fit_exactly_is_refused_and_nothing_is_written(tmp_path, tiny, change):
    state = tiny_network().state_dict()
    name = next(iter(state))
    if change == "a tensor missing":
        del state[name]
    else:
        state["more" if change == "a tensor too many" else name] = torch.zeros(7)
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang"):
        import_file(tmp_path / "theirs.pth", tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


def test_a_malicious_file_is_refused_and_not_executed(tmp_path, tiny):
    torch.save({"weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(WeightsCorrupt, match=r"would call .*mkdir"):
        import_file(tmp_path / "trap.pth", tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["trap.pth"]


def test_missing_files_and_tags_are_reported(tmp_path, tiny):
    with pytest.raises(WeightsNotFound, match="Weights file not found"):
        import_file(tmp_path / "nothing.pth", tiny)
    with pytest.raises(UsageError, match="no weights 'best'"):
        import_file(tmp_path / "nothing.pth", tiny, "best")


@pytest.mark.parametrize("folder", [".", ".."])
def test_a_folder_is_not_a_weights_file(tmp_path, tiny, checkpoint, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsNotFound, match="Not a regular file"):
        import_file(Path(folder), tiny)
    with pytest.raises(UsageError, match="File already exists"):
        import_file(checkpoint, tiny, target=Path(folder))


def test_an_explicit_tag_decides_the_network_whatever_the_header_says(tmp_path, tiny):
    ours = write_tiny_weights(tmp_path / "ours.safetensors")
    Tiny.weights["wide"] = describe("wide.pth", b"unknown", "someone/something", network={"widths": [8, 8, 8, 8]})
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang") as caught:
        import_file(ours, tiny, "wide", tmp_path / "again.safetensors")
    assert "[8, 8, 8, 8]" in caught.value.hint


def test_a_target_that_cannot_be_written_is_reported(tmp_path, tiny):
    save_file({k: v.contiguous() for k, v in tiny_network().state_dict().items()}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="Cannot write"):
        import_file(tmp_path / "a.safetensors", tiny, target=tmp_path / "nowhere" / "b.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="named pipes of Unix")
def test_pipes_and_devices_are_refused_without_waiting(tmp_path, tiny):
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (tmp_path / "pipe.pth", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(WeightsNotFound, match="Not a regular file"):
            import_file(path, tiny)


def change(state, how):
    name, tensor = next((name, tensor) for name, tensor in state.items() if tensor.dim() == 4)
    match how:
        case "NaN":
            tensor[0, 0, 0, 0] = float("nan")
        case "infinity":
            tensor[-1, -1, -1, -1] = -float("inf")
        case "complex":
            state[name] = tensor.to(torch.complex64)
        case "sparse":
            state[name] = tensor.to_sparse()
        case "integers":
            state[name] = tensor.to(torch.int64)
        case "a number alone":
            state[name] = torch.tensor(1.0)
        case "one repeated value":
            state[name] = torch.zeros(1).expand(100_000, 100_000)
        case "no values":
            state[name] = tensor.to("meta")
        case "a tensor without elements":
            state[name] = tensor[:0]


TENSORS = {
    "NaN": "has values that are not finite",
    "infinity": "has values that are not finite",
    "complex": "must be real",
    "sparse": "must be a dense tensor",
    "integers": "must be float32 of .*, got int64",
    "a number alone": r"must be float32 of .*, got float32 of \[\]",
    "one repeated value": "has more values than the file",
    "no values": "has no values",
    "a tensor without elements": r"must be float32 of .*, got float32 of \[0, ",
}


@pytest.mark.parametrize(("how", "message"), TENSORS.items())
def test_unusable_tensors_are_refused_and_nothing_is_written(tmp_path, tiny, how, message):
    state = tiny_network().state_dict()
    change(state, how)
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(WeightsCorrupt, match=f"does not fit the network of zhang: .* {message}"):
        import_file(tmp_path / "theirs.pth", tiny)
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang"):
        colorcli.load("zhang", weights=tmp_path / "theirs.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


HEADERS = {
    "input_size -1": ({"input_size": -1}, "input_size must be a number of pixels from 1 to 8192"),
    "input_size 0": ({"input_size": 0}, "input_size must be a number of pixels"),
    "an immense input_size": ({"input_size": 10**9}, "input_size must be a number of pixels"),
    "temperature 3": ({"options": {"temperature": 3}}, "temperature must be a number from"),
    "a negative temperature": ({"options": {"temperature": -1.5}}, "temperature must be a number from"),
    "a word for a temperature": ({"options": {"temperature": "hot"}}, "temperature must be a number from"),
    "an unknown option": ({"options": {"heat": 1}}, "no option 'heat'"),
    "a colorizer above": ({"colorizer": "../../x"}, "colorizer must be a colorizer's name, got '../../x'"),
    "a tag above": ({"tag": "../x"}, "tag must be 0 to 64 letters"),
    "a tag of TOML": ({"tag": 'x]\nlicense = "MIT"\n[y'}, "tag must be 0 to 64 letters"),
    "an escape": ({"tag": "\u001b[31m"}, "tag must be 0 to 64 letters"),
    "a list of hyperparameters": ({"network": [1]}, "network must be a table"),
    "immense hyperparameters": ({"network": {"widths": [10**6] * 4}}, "network must be at most 1000 values"),
    "many hyperparameters": ({"network": {"widths": [1] * 2000}}, "network must be at most 1000 values"),
    "an infinite hyperparameter": ({"network": {"widths": [float("inf")]}}, "network must be at most 1000 values"),
    "a long header": ({"network": {"note": "x" * 100_000}}, "it must be at most 65,536 characters"),
}


@pytest.mark.parametrize(("changed", "message"), HEADERS.values(), ids=HEADERS)
def test_wrong_headers_are_refused_by_import_run_and_publish(tmp_path, tiny, changed, message):
    header = {"colorizer": "zhang", "tag": "tiny", "network": {"widths": WIDTHS}} | changed
    state = {name: tensor.contiguous() for name, tensor in tiny_network().state_dict().items()}
    save_file(state, tmp_path / "best.safetensors", metadata={"colorcli": json.dumps(header)})
    with pytest.raises(WeightsCorrupt, match="damaged header: .*" + re.escape(message)):
        import_file(tmp_path / "best.safetensors", tiny, target=tmp_path / "mine.safetensors")
    with pytest.raises(WeightsCorrupt, match=re.escape(message)):
        colorcli.load("zhang", weights=tmp_path / "best.safetensors")


def test_large_hyperparameters_are_refused_without_memory_for_the_network(tmp_path, tiny):
    header = {"colorizer": "zhang", "network": {"widths": [65_536] * 4}}  # a network of terabytes
    state = {name: tensor.contiguous() for name, tensor in tiny_network().state_dict().items()}
    save_file(state, tmp_path / "a.safetensors", metadata={"colorcli": json.dumps(header)})
    with pytest.raises(WeightsCorrupt, match="does not fit the network of zhang"):
        import_file(tmp_path / "a.safetensors", tiny, target=tmp_path / "b.safetensors")
