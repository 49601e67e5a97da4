"""Damaged films in every container: a film or a clear error, never another exception, a hang or a leftover."""

import random
import time

import pytest

from colorcli.errors import MediaError
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import make_clip
from tests.media.pictures.test_fuzz import mutated

MUTATIONS = 500
SECONDS_FOR_ONE = 5  # of the processor
SECONDS_FOR_ALL = 3  # of one container
CLIPS = {
    "mkv": {"audio": "aac", "subtitles": "srt", "chapters": True, "attachment": True},
    "mp4": {"audio": "aac", "subtitles": "mov_text", "chapters": True, "rotation": 90},
    "webm": {"codec": "libvpx-vp9", "audio": "libopus", "chapters": True},
    "ts": {"audio": "ac3"},
    "avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "audio": "pcm_s16le"},
    "vob": {"codec": "mpeg2video", "audio": "mp2"},
}


@pytest.mark.parametrize("suffix", CLIPS)
def test_a_damaged_film_is_read_or_gives_a_clear_error(tmp_path, suffix):
    original = make_clip(tmp_path / f"original.{suffix}", 6, (32, 24), **CLIPS[suffix]).read_bytes()
    chance = random.Random(f"colorcli {suffix}")
    source, messages = tmp_path / f"a.{suffix}", list[str]()
    begun = time.monotonic()
    for number in range(MUTATIONS):
        source.write_bytes(mutated(original, chance))
        start = time.process_time()
        try:
            film = probe(source)
            if number % 10 == 0:
                list(read_frames(film))
        except MediaError as error:
            messages.append(error.message)
        assert time.process_time() - start < SECONDS_FOR_ONE, f"mutation {number}"
        if time.monotonic() - begun > SECONDS_FOR_ALL:
            break
    assert all(str(source) in message and "\n" not in message for message in messages)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"original.{suffix}"]
