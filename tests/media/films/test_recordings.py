from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from colorcli.errors import UsageError
from colorcli.media.films.original import read_still
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from colorcli.media.films.recordings import Clock
from tests.media.films.clips import decoded, run_ffmpeg
from tests.media.films.films import rewritten

FRAME = Fraction(1, 25)


def recording(path, seconds, offset=0, codec="libx264", sound="ac3"):
    """A recording with sound, whose timestamps begin at an offset."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=96x64:rate=25:duration={seconds}"]
    tone = ["-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=48000"]
    run_ffmpeg(*picture, *tone, "-c:v", codec, "-c:a", sound, "-output_ts_offset", offset, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("times", "continued"),
    [
        ([0, 1, 2, 0, 1], [0, 1, 2, 2 + FRAME, 3 + FRAME]),
        ([5, 6, 0, 1, 0], [5, 6, 6 + FRAME, 7 + FRAME, 7 + 2 * FRAME]),
        ([0, 1, 2000, 2001, 2002], [0, 1, 1 + FRAME, 2 + FRAME, 3 + FRAME]),
    ],
)
def test_times_that_jump_are_continued(times, continued):
    clock = Clock(FRAME)
    assert [clock.continuous(Fraction(each)) for each in times] == continued


def test_a_gap_of_a_few_seconds_is_kept():
    clock = Clock(FRAME)
    assert [clock.continuous(Fraction(each)) for each in (0, 1, 6)] == [0, 1, 6]
    assert clock.jumps == []


def test_frames_after_a_jump_are_found_by_the_times_that_the_output_has(tmp_path):
    first, second = recording(tmp_path / "a.ts", 1), recording(tmp_path / "b.ts", 1, 3000)
    source = tmp_path / "source.ts"
    source.write_bytes(second + first)
    film = probe(source)
    assert film.jumps
    with read_frames(film) as reader:
        frames = [(each.time, each.luma.astype(float)) for each in reader]
    for number in (5, 40):
        time = frames[number][0]
        still = read_still(film, time).astype(float) @ [0.299, 0.587, 0.114]
        distances = [np.abs((each - 16) * 255 / 219 - still).mean() for _, each in frames]
        assert min(distances) == distances[number] < 3
    with pytest.raises(UsageError, match="shows no frame at 9 s"):
        read_still(film, Fraction(9))


@pytest.mark.parametrize("suffix", ["ts", "vob"])
@pytest.mark.parametrize("offset", [0, 3000])
def test_two_recordings_in_one_file_follow_each_other(tmp_path, suffix, offset):
    codec = "mpeg2video" if suffix == "vob" else "libx264"
    first = recording(tmp_path / f"a.{suffix}", 2, codec=codec)
    second = recording(tmp_path / f"b.{suffix}", 2, offset, codec=codec)
    source = tmp_path / f"source.{suffix}"
    source.write_bytes(first + second)
    written = rewritten(source, tmp_path / "film.mkv").path
    times = [time for time, _ in decoded(written)]
    assert len(times) >= 98  # the decoder may drop a frame at the seam
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert max(steps) < Fraction(1, 5)
    assert min(steps) > Fraction(1, 50)
    assert abs(times[-1] - times[0] - 99 * FRAME) < Fraction(1, 5)
    with av.open(written) as container:
        sound = sorted(each.pts * each.time_base for each in container.demux(audio=0) if each.size)
    assert abs(sound[-1] - times[-1]) < Fraction(1, 5)
    assert max(later - earlier for earlier, later in pairwise(sound)) < Fraction(1, 5)


@pytest.mark.parametrize("suffix", ["ts", "m2ts"])
@pytest.mark.parametrize("sound", ["ac3", "mp2"])
@pytest.mark.parametrize("offset", [95441.7, 95440.9, 95438.5])
def test_a_clock_that_wraps_is_continued(tmp_path, suffix, sound, offset):
    """The clock of MPEG transport streams has 33 bits: 26.5 hours."""
    recording(tmp_path / f"source.{suffix}", 4, offset, sound=sound)
    written = rewritten(tmp_path / f"source.{suffix}", tmp_path / "film.mkv").path
    times = [time for time, _ in decoded(written)]
    assert len(times) == 100
    assert times[-1] - times[0] == 99 * FRAME
    with av.open(written) as container:
        heard = sorted(each.pts * each.time_base for each in container.demux(audio=0) if each.size)
    assert max(later - earlier for earlier, later in pairwise(heard)) < Fraction(1, 5)
    assert abs(heard[-1] - times[-1]) < Fraction(1, 5)


@pytest.mark.parametrize("sound", ["mp2", "mp3", "aac"])
def test_sound_in_every_codec_of_broadcasts_follows_a_jump(tmp_path, sound):
    parts = [recording(tmp_path / f"{each}.ts", 2, sound=sound) for each in "ab"]
    (tmp_path / "source.ts").write_bytes(b"".join(parts))
    written = rewritten(tmp_path / "source.ts", tmp_path / "film.mkv")
    assert [each.codec for each in written.copied] == [sound]
    with av.open(written.path) as container:
        heard = sorted(each.pts * each.time_base for each in container.demux(audio=0) if each.size)
    assert 3.8 < heard[-1] - heard[0] < 4.2
