import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.media.films import colors, is_film
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import (
    add_clean_aperture,
    decoded,
    make_clip,
    moving_pictures,
    run_ffmpeg,
    truncated,
)
from tests.media.films.films import rewritten


def test_a_plain_film_is_described(tmp_path):
    film = probe(make_clip(tmp_path / "film.mp4", 10, (64, 48), "25"))
    assert (film.width, film.height, film.frames, film.frame_rate) == (64, 48, 10, 25)
    assert (film.depth, film.pixel_format) == (8, "yuv420p")
    assert (film.matrix, film.range, film.transfer, film.primaries) == ("bt709", "tv", "bt709", "bt709")
    assert (film.rotation, film.mirrored, film.sample_aspect_ratio) == (0, False, 1)
    assert (film.interlaced, film.hdr, film.variable, film.start) == (False, "", False, 0)
    assert film.duration == Fraction(10, 25)
    assert film.notes == ()


def test_rates_are_fractions(tmp_path):
    assert probe(make_clip(tmp_path / "film.mp4", fps="30000/1001")).frame_rate == Fraction(30000, 1001)


def test_a_variable_rate_is_detected(tmp_path):
    film = probe(make_clip(tmp_path / "film.mp4", 20, vfr=True))
    assert film.variable


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_constant_rate_rounded_to_the_time_base_is_constant(tmp_path, suffix):
    assert not probe(make_clip(tmp_path / f"film.{suffix}", 40, fps="30000/1001")).variable


def test_all_streams_are_listed(tmp_path):
    film = probe(make_clip(tmp_path / "film.mkv", audio="aac", subtitles="srt", attachment=True))
    assert [each.kind for each in film.streams] == ["video", "audio", "subtitle", "attachment"]
    assert [each.language for each in film.streams] == ["", "fra", "deu", ""]
    assert [each.codec for each in film.streams[:3]] == ["h264", "aac", "subrip"]


@pytest.mark.parametrize(("option", "rotation"), [(90, 270), (-90, 90), (180, 180), (0, 0)])
def test_the_rotation_is_clockwise(tmp_path, option, rotation):
    assert probe(make_clip(tmp_path / "film.mp4", rotation=option)).rotation == rotation


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-display_hflip"], (0, True)),
        (["-display_vflip"], (180, True)),
        (["-display_rotation", "-90", "-display_hflip"], (90, True)),
    ],
)
def test_mirroring_is_distinguished_from_rotation(tmp_path, options, shown):
    plain = make_clip(tmp_path / "plain.mp4")
    run_ffmpeg(*options, "-i", plain, "-c", "copy", tmp_path / "film.mp4")
    film = probe(tmp_path / "film.mp4")
    assert (film.rotation, film.mirrored) == shown


def test_the_sample_aspect_ratio_is_read(tmp_path):
    assert probe(make_clip(tmp_path / "film.mp4", sample_aspect_ratio="16/15")).sample_aspect_ratio == Fraction(16, 15)


@pytest.mark.parametrize(("height", "matrix"), [(48, "smpte170m"), (720, "bt709")])
def test_an_untagged_matrix_is_assumed_from_the_height_with_a_note(tmp_path, height, matrix):
    film = probe(make_clip(tmp_path / "film.mp4", 2, (64, height), matrix=None))
    assert (film.matrix, film.range) == (matrix, "tv")
    assert film.notes == (f"the color matrix is not tagged, so {matrix} is assumed",)


def test_full_range_is_read(tmp_path):
    assert probe(make_clip(tmp_path / "film.mp4", full_range=True)).range == "pc"


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "depth", "notes"),
    [
        ("yuv420p10le", "libx264", 10, ()),
        ("yuv422p10le", "ffv1", 10, ()),
        ("yuv420p12le", "ffv1", 12, ()),
        ("yuv420p16le", "ffv1", 12, ("its 16 bits are reduced to 12",)),
        ("yuv420p9le", "ffv1", 10, ()),
        ("yuv444p", "libx264", 8, ()),
        ("gbrp", "ffv1", 8, ("its RGB is converted to YUV in bt709",)),
    ],
)
def test_other_pixel_formats_become_luma_of_8_10_or_12_bits(tmp_path, pix_fmt, codec, depth, notes):
    film = probe(make_clip(tmp_path / "film.mkv", pix_fmt=pix_fmt, codec=codec))
    assert film.depth == depth
    assert film.notes == notes


def test_interlacing_is_noted(tmp_path):
    film = probe(make_clip(tmp_path / "film.mp4", interlaced=True))
    assert film.interlaced
    assert film.notes == ("interlaced, so it is deinterlaced",)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_high_dynamic_range_is_tone_mapped_with_a_note(tmp_path, transfer, name):
    film = probe(make_clip(tmp_path / "film.mkv", pix_fmt="yuv420p10le", matrix="bt2020nc", transfer=transfer))
    assert film.hdr == name
    assert (film.matrix, film.transfer, film.primaries, film.depth) == ("bt709", "bt709", "bt709", 10)
    assert film.notes == (f"{name} high dynamic range is tone-mapped to standard range, in bt709 with 10 bits",)


def test_high_dynamic_range_is_rejected_if_ffmpeg_lacks_zscale(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "film.mkv", pix_fmt="yuv420p10le", matrix="bt2020nc", transfer="smpte2084")
    monkeypatch.setattr(colors, "filters", frozenset)
    with pytest.raises(UnreadableMedia, match="high dynamic range"):
        probe(path)


def test_a_late_start_time_is_read(tmp_path):
    path = make_clip(tmp_path / "film.ts", audio="aac")
    film = probe(path)
    assert film.start > 1
    assert 0 <= decoded(path)[0][0] - film.start < Fraction(1, 10)


def test_one_of_two_video_streams_is_chosen_with_a_note(tmp_path):
    one, two = make_clip(tmp_path / "one.mp4"), make_clip(tmp_path / "two.mp4", size=(128, 96))
    run_ffmpeg("-i", one, "-i", two, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "film.mp4")
    film = probe(tmp_path / "film.mp4")
    assert film.width in {64, 128}
    assert film.notes == (f"of its 2 video streams, stream {film.index} is colorized, the others are copied",)


def test_a_film_without_a_frame_count_is_accepted(tmp_path):
    film = probe(make_clip(tmp_path / "film.mkv"))
    assert film.frames is None


# What is no film -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"Dear Anna,\n" * 30, "expected a film, got text"),
        (b"<html><body>Not found</body></html>", "expected a film, got"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "expected a film, got a PNG picture"),
        (b"\0\0\0\x18ftypisom" + bytes(3000), "damaged, truncated or in a format that ffmpeg cannot read"),
    ],
)
def test_a_file_that_is_not_a_film_is_rejected_by_what_it_is(tmp_path, content, words):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableMedia, match=words):
        probe(path)


def test_a_missing_file_is_rejected(tmp_path):
    with pytest.raises(UnreadableMedia, match="No such file"):
        probe(tmp_path / "film.mp4")


def test_audio_alone_is_rejected(tmp_path):
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", tmp_path / "sound.mp4")
    with pytest.raises(UnreadableMedia, match="no video stream found, only audio"):
        probe(tmp_path / "sound.mp4")


def test_an_encrypted_film_is_rejected(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4")
    key = ["-encryption_key", "01" * 16, "-encryption_kid", "02" * 16]
    run_ffmpeg("-i", plain, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr", *key, tmp_path / "film.mp4")
    with pytest.raises(UnreadableMedia, match="the film is encrypted"):
        probe(tmp_path / "film.mp4")


def test_a_codec_unknown_to_ffmpeg_is_rejected(tmp_path):
    path = make_clip(tmp_path / "film.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzq1"))
    with pytest.raises(UnreadableMedia, match="video codec is not supported by ffmpeg"):
        probe(path)


def test_a_film_without_its_index_is_rejected(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4")
    with pytest.raises(UnreadableMedia, match="damaged, truncated"):
        probe(truncated(whole, tmp_path / "film.mp4"))


# By content -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("mkv", "libx264"),
        ("webm", "libvpx-vp9"),
        ("avi", "mpeg4"),
        ("mpg", "mpeg2video"),
        ("ts", "libx264"),
        ("m2ts", "libx264"),
        ("flv", "libx264"),
        ("wmv", "wmv2"),
        ("ogv", "libtheora"),
        ("h264", "libx264"),
        ("mxf", "mpeg2video"),
        ("nut", "ffv1"),
    ],
)
def test_films_are_recognized_by_their_first_bytes(tmp_path, suffix, codec):
    path = make_clip(tmp_path / f"film.{suffix}", codec=codec)
    assert is_film(path.rename(tmp_path / "film"))
    assert probe(tmp_path / "film").width == 64


@pytest.mark.parametrize("content", [b"", b"export const a = 1;\n", b"\0\0\0\x1cftypavif\0\0\0\0mif1avif"])
def test_other_files_are_not_films(tmp_path, content):
    (tmp_path / "film.ts").write_bytes(content)
    assert not is_film(tmp_path / "film.ts")
    assert not is_film(tmp_path / "nowhere")


# Interlacing ----------------------------------------------------------------------------------------------------

FIELDS = "testsrc2=size=720x576:rate=50:duration=0.6,format=yuv422p,interlace=lowpass=0:scan={scan}"


@pytest.mark.parametrize(
    ("suffix", "codec", "scan", "order"),
    [("mov", "mjpeg", "tff", "tt"), ("mkv", "huffyuv", "tff", "tt"), ("mkv", "utvideo", "bff", "bb")],
)
def test_interlacing_that_only_the_container_declares_is_found(tmp_path, suffix, codec, scan, order):
    path = tmp_path / f"film.{suffix}"
    fields = ["-f", "lavfi", "-i", FIELDS.format(scan=scan), "-strict", -1]
    run_ffmpeg(*fields, "-c:v", codec, "-field_order", order, path)
    film = probe(path)
    assert film.interlaced
    assert film.field_order == scan
    assert "interlaced, so it is deinterlaced" in film.notes
    assert "interlaced, and not deinterlaced" in probe(path, "off").notes
    assert "all frames are deinterlaced" in probe(path, "on").notes


def test_a_film_that_becomes_interlaced_later_is_partly_interlaced(tmp_path):
    for name, interlaced in (("a.ts", False), ("b.ts", True)):
        make_clip(tmp_path / name, 25, (96, 64), codec="mpeg2video", interlaced=interlaced)
    (tmp_path / "film.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    film = probe(tmp_path / "film.ts")
    assert film.interlaced
    assert "partly interlaced, so interlaced frames are deinterlaced" in film.notes


@pytest.mark.skipif(not shutil.which("mkvmerge"), reason="mkvmerge is not installed")
@pytest.mark.parametrize("cropping", ["0:4,8,4,8", "0:16,0,0,0", "0:2,2,2,2"])
def test_frames_are_cropped_as_matroska_declares(tmp_path, cropping):
    make_clip(tmp_path / "plain.mkv", 5, (192, 144))
    command = ["mkvmerge", "-q", "-o", tmp_path / "film.mkv", "--cropping", cropping, tmp_path / "plain.mkv"]
    subprocess.run(command, check=True)
    left, top, right, bottom = map(int, cropping.partition(":")[2].split(","))
    film = probe(tmp_path / "film.mkv")
    assert (film.width, film.height) == (192 - left - right, 144 - top - bottom)
    written = probe(rewritten(film.path, tmp_path / "out.mkv").path)
    assert (written.width, written.height) == (film.width, film.height)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "aperture"),
    [
        ("dvvideo", "yuv420p", (704, 576)),
        ("prores_ks", "yuv422p10le", (700, 560)),
        ("libx264", "yuv420p", (640, 480)),
        ("mjpeg", "yuvj420p", (712, 572)),
    ],
)
def test_frames_are_cropped_to_the_clean_aperture_of_quicktime(tmp_path, codec, pix_fmt, aperture):
    width, height = aperture
    pictures = moving_pictures(3, (720, 576))
    pictures[:, :8] = pictures[:, -8:] = 255
    make_clip(tmp_path / "plain.mov", pictures=pictures, codec=codec, pix_fmt=pix_fmt)
    film = probe(add_clean_aperture(tmp_path / "plain.mov", tmp_path / "film.mov", width, height), "off")
    assert (film.width, film.height) == aperture
    assert f"cropped from 720 x 576 to {width} x {height}, as the file declares" in film.notes
    whole, left, top = decoded(tmp_path / "plain.mov")[0][1], (720 - width) // 2, (576 - height) // 2
    assert np.array_equal(next(read_frames(film)).luma, whole[top : top + height, left : left + width])
    written = probe(rewritten(film.path, tmp_path / "out.mov").path)
    assert (written.width, written.height) == aperture


@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv"])
def test_tags_that_are_not_utf_8_are_no_obstacle(tmp_path, suffix):
    """As old programs wrote them in the code page of their country."""
    path = make_clip(tmp_path / f"film.{suffix}", codec="mpeg4", metadata={"title": "Der XXfer"})
    path.write_bytes(path.read_bytes().replace(b"XX", "ä".encode("latin-1") + b"u"))
    assert "title" in probe(path).tags
    assert (
        b"Der \xe4ufer" in rewritten(path, tmp_path / f"out.{'mkv' if suffix == 'avi' else suffix}").path.read_bytes()
    )
