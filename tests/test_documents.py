import os
import time

import pytest

from colorcli.documents import MAX_TOML_BYTES, parse_json, read_json, read_toml

HOSTILE_TOML = {
    "deep lists": "a = " + "[" * 100_000,
    "deep tables": "a = " + "{a = " * 20_000,
    "a long dotted key": "a." * 30_000 + "a = 1",
    "a long dotted header": "[" + "a." * 30_000 + "a]",
    "a long key with spaces": "a . " * 30_000 + "a = 1",
    "a long key in quotes": '"a".' * 30_000 + "a = 1",
    "a large file": "a = 1\n" + "#" * MAX_TOML_BYTES,
    "half of a table": "[run",
}
HOSTILE_JSON = {
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "a long number": "1" * 100_000,
    "half": "{",
}


@pytest.mark.parametrize("text", HOSTILE_TOML.values(), ids=HOSTILE_TOML)
def test_hostile_toml_is_refused_within_seconds(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    started = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        read_toml(tmp_path / "a.toml")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "a = [" + "1," * (MAX_TOML_BYTES // 2 - 10) + "]",
        "[[a]]\n" * (MAX_TOML_BYTES // 6),
        "".join(f"{'.'.join('a' * 31)}.b{i} = 1\n" for i in range(MAX_TOML_BYTES // 80)),
        "x" * 1000 + " = 1\n" + "#" + "y" * (MAX_TOML_BYTES - 2000),
    ],
    ids=["a long list", "many tables", "many dotted keys", "a long comment"],
)
def test_the_largest_toml_is_read_within_seconds(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    started = time.process_time()
    read_toml(tmp_path / "a.toml")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_hostile_json_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_files_from_windows_editors_are_read(tmp_path, read):
    text = '{"a": 1}' if read is read_json else "a = 1\r\n"
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(tmp_path / "a") == {"a": 1}


@pytest.mark.skipif(os.name == "nt", reason="named pipes of Unix")
@pytest.mark.parametrize("read", [read_toml, read_json])
def test_pipes_devices_and_folders_are_refused_without_waiting(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, type(tmp_path)("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read(path)
