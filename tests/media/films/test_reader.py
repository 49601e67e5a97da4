import os
import signal
import threading
from fractions import Fraction

import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip, moving_pictures, run_ffmpeg, truncated
from tests.media.films.films import rewritten


def assert_same(read, truth, start=0):
    read = list(read)
    assert [frame.time for frame in read] == [time - start for time, _ in truth]
    for frame, (_, luma) in zip(read, truth, strict=True):
        assert frame.luma.dtype == luma.dtype
        np.testing.assert_array_equal(frame.luma, luma)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pix_fmt": "yuv420p10le"},
        {"full_range": True},
        {"matrix": "smpte170m"},
        {"pix_fmt": "yuv444p"},
        {"pix_fmt": "gray"},
        {"pix_fmt": "yuv422p10le", "codec": "ffv1"},
        {"codec": "ffv1", "size": (63, 47)},
        {"rotation": 90},
        {"vfr": True},
        {"fps": "24000/1001"},
        {"frames": 1},
        {"sample_aspect_ratio": "4/3"},
    ],
    ids=str,
)
def test_luma_and_times_are_exactly_those_of_the_decoder(tmp_path, options):
    path = make_clip(tmp_path / "film.mkv", **options)
    read = list(read_frames(probe(path)))
    assert_same(read, decoded(path))
    assert [frame.number for frame in read] == list(range(len(read)))


def test_times_increase_even_if_timestamps_repeat(tmp_path):
    make_clip(tmp_path / "plain.mkv", 10)
    shuffled = "setts=pts=DTS:dts=DTS"  # which ignores that frames are reordered
    run_ffmpeg("-i", tmp_path / "plain.mkv", "-c", "copy", "-bsf:v", shuffled, tmp_path / "film.mkv")
    film = probe(tmp_path / "film.mkv")
    times = [frame.time for frame in read_frames(film)]
    assert len(times) == 10
    assert times == sorted(set(times))
    assert all((time / film.time_base).denominator == 1 for time in times)
    assert len(decoded(rewritten(film.path, tmp_path / "out.mkv").path)) == 10


def test_times_are_relative_to_the_start_of_the_film(tmp_path):
    path = make_clip(tmp_path / "film.ts", audio="aac")
    film = probe(path)
    assert_same(read_frames(film), decoded(path), film.start)


def test_an_unknown_frame_count_is_not_a_problem(tmp_path):
    path = make_clip(tmp_path / "film.mkv", 30)
    assert probe(path).frames is None
    reader = read_frames(probe(path))
    assert len(list(reader)) == 30
    assert reader.notes == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "h264"])
@pytest.mark.parametrize(("start", "end"), [(11, None), (0, 12), (11, 14), (14, 400)])
def test_a_section_equals_that_section_of_the_whole(tmp_path, suffix, start, end):
    film = probe(make_clip(tmp_path / f"film.{suffix}", 48, fps="3"))
    end = end and Fraction(end)
    wanted = [frame for frame in read_frames(film) if frame.time >= start and (end is None or frame.time < end)]
    assert len(wanted) > 3
    part = list(read_frames(film, Fraction(start), end))
    assert_same(part, [(frame.time, frame.luma) for frame in wanted])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "h264"])
def test_reading_resumes_after_any_frame(tmp_path, suffix):
    film = probe(make_clip(tmp_path / f"film.{suffix}", 48, fps="3", vfr=suffix != "h264"))
    whole = list(read_frames(film))
    for stop in (0, 1, 35, 46, 47):
        rest = list(read_frames(film, after=whole[stop].time, number=stop + 1))
        assert_same(rest, [(frame.time, frame.luma) for frame in whole[stop + 1 :]])
        assert [frame.number for frame in rest] == list(range(stop + 1, 48))


def test_a_raw_stream_without_timestamps_is_read_from_the_beginning(tmp_path):
    film = probe(make_clip(tmp_path / "film.m2v", 600, codec="mpeg2video"))
    whole = list(read_frames(film))
    rest = list(read_frames(film, after=whole[450].time, number=451))
    assert_same(rest, [(frame.time, frame.luma) for frame in whole[451:]])


def test_a_truncated_film_gives_what_can_be_decoded_with_a_note(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", 60, extra=["-movflags", "+faststart"])
    reader = read_frames(probe(truncated(whole, tmp_path / "film.mp4", 0.7)))
    read = list(reader)
    assert 20 < len(read) < 60
    assert len(reader.notes) == 1
    assert reader.notes[0].startswith(f"damaged or truncated: {len(read)} of 60 frames could be decoded")


def test_a_resumed_run_reports_damage_too(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", 60, extra=["-movflags", "+faststart"])
    film = probe(truncated(whole, tmp_path / "film.mp4", 0.7))
    complete = read_frames(film)
    read = list(complete)
    reader = read_frames(film, after=read[9].time, number=10)
    assert len(list(reader)) == len(read) - 10
    assert reader.notes == complete.notes


def test_audio_is_ignored(tmp_path):
    path = make_clip(tmp_path / "film.mkv", audio="pcm_s16le")
    reader = read_frames(probe(path))
    assert len(list(reader)) == 10
    assert reader.notes == []


def test_a_film_that_cannot_be_decoded_is_rejected(tmp_path):
    path = make_clip(tmp_path / "film.mp4", 3)
    film = probe(path)
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(3000))
    with pytest.raises(UnreadableMedia, match="no frame can be decoded"):
        list(read_frames(film))


def test_interlaced_frames_are_deinterlaced(tmp_path):
    """Two fields of a moving edge show a comb; deinterlaced there is none, and the number of frames stays."""
    wide = np.zeros((40, 64, 96, 3), np.uint8)
    for number in range(40):
        wide[number, :, : 2 * number + 8] = 220
    fields = np.empty((20, 64, 96, 3), np.uint8)
    fields[:, 0::2], fields[:, 1::2] = wide[0::2, 0::2], wide[1::2, 1::2]
    path = make_clip(tmp_path / "film.mkv", pictures=fields, interlaced=True, extra=["-qp", "0"])

    def combing(luma):
        inner = luma[8:-8].astype(int)
        return np.abs(2 * inner[1:-1] - inner[:-2] - inner[2:]).mean()

    read = list(read_frames(probe(path)))
    assert len(read) == 20
    assert [frame.time for frame in read] == [time for time, _ in decoded(path)]
    before, after = combing(decoded(path)[10][1]), combing(read[10].luma)
    assert after < before / 4


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_is_tone_mapped(tmp_path, transfer):
    path = make_clip(tmp_path / "film.mkv", pix_fmt="yuv420p10le", matrix="bt2020nc", transfer=transfer)
    luma = next(read_frames(probe(path))).luma
    assert luma.dtype == np.uint16
    assert luma.min() >= 64
    assert luma.max() <= 940
    assert luma.std() > 10


@pytest.mark.parametrize(("pix_fmt", "codec"), [("gbrp", "ffv1"), ("bgr0", "ffv1"), ("rgb24", "png"), ("pal8", "png")])
def test_rgb_is_converted_to_bt709_luma(tmp_path, pix_fmt, codec):
    pictures = moving_pictures(2, (64, 48)) // 64 * 64
    path = make_clip(tmp_path / "film.mov", pictures=pictures, pix_fmt=pix_fmt, codec=codec)
    luma = next(read_frames(probe(path))).luma
    truth = 16 + 219 * (pictures[0] / 255) @ [0.2126, 0.7152, 0.0722]
    assert np.abs(luma - truth).mean() < (1.5 if pix_fmt != "pal8" else 12)


@pytest.mark.parametrize(("pix_fmt", "shift"), [("yuv420p12le", 0), ("yuv444p16le", 4), ("gray12le", 0)])
def test_deeper_luma_is_rounded_to_12_bits(tmp_path, pix_fmt, shift):
    path = make_clip(tmp_path / "film.mkv", pix_fmt=pix_fmt, codec="ffv1")
    luma = next(read_frames(probe(path))).luma.astype(float)
    assert np.abs(luma - decoded(path)[0][1] / 2**shift).max() <= 1


def test_a_changing_size_is_scaled_to_that_of_the_first_frame(tmp_path):
    small, large = make_clip(tmp_path / "small.ts", 5), make_clip(tmp_path / "large.ts", 5, (128, 96))
    (tmp_path / "film.ts").write_bytes(small.read_bytes() + large.read_bytes())
    shapes = {frame.luma.shape for frame in read_frames(probe(tmp_path / "film.ts"))}
    assert shapes == {(48, 64)}


def test_closing_ends_the_decoder(tmp_path):
    film = probe(make_clip(tmp_path / "film.mkv", 80, (320, 240)))
    with read_frames(film) as reader:
        next(reader)
        process = reader._running._process
        assert process.poll() is None
    assert process.poll() is not None
    assert reader.notes == []


def test_another_thread_can_close_the_reader(tmp_path):
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:duration=40", "-preset", "ultrafast", tmp_path / "film.mkv")
    reader = read_frames(probe(tmp_path / "film.mkv"))
    next(reader)
    read = []
    thread = threading.Thread(target=lambda: read.extend(frame.number for frame in reader))
    thread.start()
    reader.close()
    thread.join(30)
    assert not thread.is_alive()
    assert len(read) < 999


@pytest.mark.skipif(os.name == "nt", reason="os.kill cannot send Ctrl-C there")
def test_ctrl_c_is_not_lost_while_frames_are_read(tmp_path):
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=640x480:duration=20", "-preset", "ultrafast", tmp_path / "film.mkv")
    film = probe(tmp_path / "film.mkv")

    def read():
        with read_frames(film) as reader:
            for frame in reader:
                if frame.number == 5:
                    timer.start()
        timer.join()

    for delay in (0.0, 0.003, 0.01, 0.02, 0.05):
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            read()
