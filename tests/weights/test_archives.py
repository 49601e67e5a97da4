import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import time
import zipfile
from collections import OrderedDict

import pytest
import torch

from colorcli.errors import WeightsCorrupt
from colorcli.weights import archives, open_file

STATE = {"weight": torch.arange(6.0).reshape(2, 3)}


def saved(**how):
    file = io.BytesIO()
    torch.save(STATE, file, **how)
    return file.getvalue()


def rezipped(compression):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as source, zipfile.ZipFile(file, "w", compression) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return file.getvalue()


def zipped(**entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "/", 1).replace("pkl", ".pkl"), content)
    return file.getvalue()


def tarred(mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        info = tarfile.TarInfo("weights.pth")
        info.size = len(saved())
        archive.addfile(info, io.BytesIO(saved()))
    return file.getvalue()


def bomb():
    """Two gigabytes in two megabytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        with archive.open("archive/data/0", "w", force_zip64=True) as entry:
            for _ in range(2048):
                entry.write(bytes(1 << 20))
    return file.getvalue()


def laughs(depth, kind=tuple, times=2):
    """A value that is twice the one before it, and so on."""
    value = kind()
    for _ in range(depth):
        value = kind([value] * times)
    return value


KINDS = {
    "a gzipped tar": (tarred("w:gz"), "gzip file: unpack it first"),
    "a bzipped tar": (tarred("w:bz2"), "bzip2 file: unpack it first"),
    "an xz tar": (tarred("w:xz"), "xz file: unpack it first"),
    "a tar": (tarred("w"), "tar archive: unpack it first"),
    "gzip": (gzip.compress(saved()), "gzip file: unpack it first"),
    "bzip2": (bz2.compress(saved()), "bzip2 file"),
    "xz": (lzma.compress(saved()), "xz file"),
    "another zip": (zipped(readme="hello"), "zip archive without a PyTorch checkpoint"),
    "a compressed zip": (rezipped(zipfile.ZIP_DEFLATED), "compressed zip archive"),
    "a bzipped zip": (rezipped(zipfile.ZIP_BZIP2), "compressed zip archive"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "GGUF": (b"GGUF" + bytes(100), "GGUF"),
    "a web page": (b"<!DOCTYPE html>", "a web page"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "half of a zip": (saved()[: len(saved()) // 2], "zip"),
}


@pytest.mark.parametrize(("content", "message"), KINDS.values(), ids=KINDS)
def test_files_of_another_kind_are_named(tmp_path, content, message):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=rf"Cannot open .*weights\.pth as weights: .*{message}"):
        open_file(tmp_path / "weights.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_are_read(tmp_path, zipped):
    (tmp_path / "weights.pth").write_bytes(saved(_use_new_zipfile_serialization=zipped))
    state, _ = open_file(tmp_path / "weights.pth")
    assert state["weight"].equal(STATE["weight"])


def test_a_checkpoint_of_many_tensors_is_read(tmp_path):
    state = OrderedDict((f"layer{i}.weight", torch.zeros(2)) for i in range(3000))
    torch.save(state, tmp_path / "weights.pth")
    assert len(open_file(tmp_path / "weights.pth")[0]) == 3000


def test_a_compression_bomb_is_refused_without_decompressing_it(tmp_path):
    (tmp_path / "weights.pth").write_bytes(bomb())
    started = time.process_time()
    with pytest.raises(WeightsCorrupt, match="compressed zip archive"):
        open_file(tmp_path / "weights.pth")
    assert time.process_time() - started < 5


def dict_of(key, value=1):
    """Pickle a dict without hashing its key, which would take forever here, too."""
    return b"\x80\x02}" + pickle.dumps(key, protocol=2)[2:-1] + pickle.dumps(value, protocol=2)[2:-1] + b"s."


PICKLES = {
    "a key that takes for ever to hash": dict_of(laughs(60)),
    "lists of lists": dict_of("weight", laughs(60, list)),
    "wide tuples": dict_of(laughs(12, times=10)),
    "dicts of lists": dict_of("a", {"b": laughs(40, list)}),
}


@pytest.mark.parametrize("pickled", PICKLES.values(), ids=PICKLES)
@pytest.mark.parametrize("form", ["zip", "pickle", "legacy"])
def test_pickles_that_describe_too_much_are_refused_within_seconds(tmp_path, form, pickled):
    path = tmp_path / "weights.pth"
    if form == "zip":
        path.write_bytes(zipped(archive_datapkl=pickled, archive_version="3"))
    elif form == "legacy":
        preamble = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(each, protocol=2) for each in preamble) + pickled)
    else:
        path.write_bytes(pickled)
    started = time.process_time()
    with pytest.raises(WeightsCorrupt) as caught:
        open_file(path)
    # Lists are not hashed, and nothing walks through them.
    assert "describes more than 10,000,000 objects" in caught.value.message or b"]" in pickled
    assert time.process_time() - started < 5


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_deep_pickles_are_refused_within_seconds(tmp_path, protocol):
    levels = {0: (b"(" * 100_000, b"t" * 100_000 + b"."), 1: (b"]" * 100_000, b"a" * 99_999 + b".")}
    start, end = levels.get(protocol, (b"\x80" + bytes([protocol]) + b")" + b"\x85" * 100_000, b"."))
    (tmp_path / "weights.pth").write_bytes(start + end)
    started = time.process_time()
    with pytest.raises(WeightsCorrupt):
        open_file(tmp_path / "weights.pth")
    assert time.process_time() - started < 5


def test_a_large_pickle_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_PICKLE_BYTES", 1000)
    torch.save({f"layer{i}": torch.zeros(1) for i in range(100)}, tmp_path / "weights.pth")
    with pytest.raises(WeightsCorrupt, match="more than 1,000 bytes"):
        open_file(tmp_path / "weights.pth")


def test_random_bytes_are_refused(tmp_path):
    for seed in range(50):
        (tmp_path / "weights.pth").write_bytes(bytes([seed]) + os.urandom(200))
        with pytest.raises(WeightsCorrupt):
            open_file(tmp_path / "weights.pth")
