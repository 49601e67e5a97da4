import re
from fractions import Fraction

import av
import pytest

from colorcli.media.films.captions import CAPTIONED
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.probe import probe
from tests.media.films.clips import add_captions, make_clip, run_ffmpeg
from tests.media.films.films import rewritten


def captions_of(path):
    """The captions of each frame, in the order of display, by its number."""
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    return {number: bytes(data) for number, frame in enumerate(frames) if (data := frame.side_data.get("A53_CC"))}


def read_aloud(path, tmp_path):
    """The text that a caption decoder finds in a film."""
    run_ffmpeg("-f", "lavfi", "-i", f"movie={path}[out+subcc]", "-map", "0:s", tmp_path / "text.srt")
    return (tmp_path / "text.srt").read_text()


def captioned(path, frames=50, codec=None):
    """A film with captions, in MPEG-2, or in another codec that ffmpeg writes them to."""
    plain = make_clip(path.with_name("plain.m2v"), frames, codec="mpeg2video", extra=["-bf", "0"])
    mpeg2 = add_captions(plain, path.with_name("captioned.m2v"))
    encoder = ["-c", "copy"] if codec is None else ["-c:v", codec, "-a53cc", "1", "-bf", "3"]
    run_ffmpeg("-fflags", "+genpts", "-i", mpeg2, *encoder, path)
    return path


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "libsvtav1"])
def test_every_frame_keeps_its_captions(tmp_path, codec):
    film = captioned(tmp_path / "film.mkv", 12)
    encoding = choose_encoding(probe(film), ".mkv", codec)
    written = rewritten(film, tmp_path / "new.mkv", encoding)
    assert captions_of(written.path) == captions_of(film)
    assert len(captions_of(film)) == 12
    assert not [note for note in encoding.notes if "captions" in note]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_captions_of_reordered_frames_stay_legible(tmp_path, suffix):
    film = captioned(tmp_path / f"film{suffix}", 100, "libx264")
    written = rewritten(film, tmp_path / f"new{suffix}")
    text = read_aloud(written.path, tmp_path)
    assert "HELLO" in text
    assert text == read_aloud(film, tmp_path)


def test_captions_of_a_transport_stream_are_kept(tmp_path):
    film = captioned(tmp_path / "film.ts", 25, "libx264")
    written = rewritten(film, tmp_path / "new.mkv")
    assert captions_of(written.path) == captions_of(film)


def test_captions_of_a_section_stay_with_their_frames(tmp_path):
    film = captioned(tmp_path / "film.mkv", 30, "libx264")
    written = rewritten(film, tmp_path / "new.mkv", start=Fraction(10, 25), end=Fraction(20, 25))
    before = captions_of(film)
    assert captions_of(written.path) == {number: before[number + 10] for number in range(10)}


@pytest.mark.parametrize("codec", ["ffv1", "mpeg4", "libvpx-vp9"])
def test_a_note_names_encoders_that_cannot_carry_captions(tmp_path, codec):
    film = captioned(tmp_path / "film.mkv", 12)
    encoding = choose_encoding(probe(film), ".mkv", codec)
    note = f"the closed captions within its video are lost, because {codec} cannot carry them (libx264 does)"
    assert note in encoding.notes
    assert captions_of(rewritten(film, tmp_path / "new.mkv", encoding).path) == {}


@pytest.mark.parametrize("pairs", [8, 12, 30, 40])
def test_captions_that_a_dvd_has_with_one_frame_are_spread_over_the_next(tmp_path, pairs):
    plain = make_clip(tmp_path / "plain.m2v", 12, codec="mpeg2video", extra=["-bf", "0"])
    stream = plain.read_bytes()
    extension = re.search(rb"\0\0\x01\xb5[\x80-\x8f]", stream)
    first_slice = stream.find(b"\0\0\x01\x01", extension.end())
    content = b"CC\x01\xf8\x80" + b"\xff\xc8\x45\xfe\x80\x80" * pairs  # two fields each, as DVDs have them
    (tmp_path / "film.m2v").write_bytes(stream[:first_slice] + b"\0\0\x01\xb2" + content + stream[first_slice:])
    before = captions_of(tmp_path / "film.m2v")
    after = captions_of(rewritten(tmp_path / "film.m2v", tmp_path / "new.mkv").path)
    assert len(before[0]) == 6 * pairs
    assert b"".join(after.values()) == b"".join(before.values())
    assert max(map(len, after.values())) <= 3 * 600 // 25


def test_content_that_looks_like_a_start_code_is_escaped():
    unit = CAPTIONED["h264"](b"\0\0\0\x02\x65\x80", [b"GA94\x03\x45\xff" + b"\xfc\0\0\0\0\1" * 5])
    assert not re.search(rb"\0\0[\0-\2]", unit[4:-6])
