from fractions import Fraction

import av
import numpy as np
import pytest

from colorcli.errors import UsageError
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.ffmpeg import encoders
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip, run_ffmpeg
from tests.media.films.films import PROVENANCE, rewritten


@pytest.fixture
def film(tmp_path):
    return probe(make_clip(tmp_path / "film.mp4"))


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".WEBM", "libvpx-vp9")])
def test_the_container_decides_the_default_encoder(film, suffix, codec):
    assert choose_encoding(film, suffix).codec == codec


def test_short_codec_names_are_accepted(film):
    assert choose_encoding(film, ".mp4", "h265").codec == "libx265"
    assert choose_encoding(film, ".mp4", "av1").codec == "libsvtav1"


def test_quality_and_preset_set_the_encoders_own_options(film):
    assert choose_encoding(film, ".mp4", None, 23, "slow").options == {"crf": 23, "preset": "slow"}
    assert choose_encoding(film, ".mp4", "libvpx-vp9", 30.5, "8").options["cpu-used"] == "8"
    assert choose_encoding(film, ".mp4", "libvpx-vp9", 30.5, "8").options["crf"] == 30.5


def test_an_unknown_encoder_is_rejected_with_a_suggestion(film):
    with pytest.raises(UsageError, match=r"no encoder 'libx246'.*libx264"):
        choose_encoding(film, ".mp4", "libx246")


@pytest.mark.parametrize(
    ("codec", "crf", "preset", "option"), [("ffv1", 3, None, "--crf"), ("mpeg4", None, "slow", "--preset")]
)
def test_an_option_that_the_encoder_lacks_is_rejected(film, codec, crf, preset, option):
    with pytest.raises(UsageError, match=f"{option} is not supported for {codec}"):
        choose_encoding(film, ".mp4", codec, crf, preset)


@pytest.mark.parametrize(
    ("pix_fmt", "size", "codec", "written", "notes"),
    [
        ("yuv420p", (64, 48), "libx264", "yuv420p", 0),
        ("yuv420p10le", (64, 48), "libx264", "yuv420p10le", 0),
        ("yuv420p", (63, 47), "libx264", "yuv444p", 1),
        ("yuv420p10le", (63, 47), "libx265", "yuv444p10le", 1),
        ("yuv420p", (63, 47), "libvpx-vp9", "yuv420p", 0),
        ("yuv420p10le", (64, 48), "mpeg4", "yuv420p", 1),
        ("yuv420p", (64, 48), "prores_ks", "yuv422p10le", 0),
        ("yuv420p12le", (64, 48), "ffv1", "yuv420p12le", 0),
        ("yuv422p12le", (64, 48), "libx264", "yuv420p10le", 1),
        ("yuv444p12le", (64, 48), "mpeg4", "yuv420p", 1),
    ],
)
def test_pixels_keep_their_depth_and_size_or_a_note_says_so(tmp_path, pix_fmt, size, codec, written, notes):
    film = probe(make_clip(tmp_path / "film.mkv", 2, size, pix_fmt=pix_fmt, codec="ffv1"))
    encoding = choose_encoding(film, ".mkv", codec)
    assert encoding.pixel_format == written
    assert len(encoding.notes) == notes


@pytest.mark.parametrize(("codec", "crf"), [(None, 999), ("libvpx-vp9", 64), ("mpeg4", 0), ("libx265", -1)])
def test_a_quality_out_of_range_is_rejected(film, codec, crf):
    with pytest.raises(UsageError, match=rf"--crf must be between \d+ and \d+ for .*, got {crf}"):
        choose_encoding(film, ".mkv", codec, crf)


@pytest.mark.parametrize("preset", ["ludicrous", "12"])
def test_a_preset_that_the_encoder_rejects_is_an_error(film, preset):
    with pytest.raises(UsageError, match="libx264 cannot encode 64 x 48 pixels with these settings"):
        choose_encoding(film, ".mkv", "libx264", preset=preset)


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "libx264", "ffv1", "mjpeg", "utvideo"])
@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv", "avi"])
def test_what_the_trial_accepts_the_run_encodes(tmp_path, codec, suffix):
    """Time bases of 1/90000 are too fine for MPEG-4, and MPEG-2 supports only certain frame rates."""
    source = make_clip(
        tmp_path / f"source.{suffix}", 6, fps="30000/1001", codec="mpeg4" if suffix == "avi" else "libx264"
    )
    film = probe(source)
    written = rewritten(source, tmp_path / "film.mkv", choose_encoding(film, ".mkv", codec))
    times, true = [time for time, _ in decoded(written.path)], [time - film.start for time, _ in decoded(source)]
    assert len(times) == 6
    assert all(abs(time - wanted) < Fraction(1, 30) for time, wanted in zip(times, true, strict=True))


@pytest.mark.parametrize("codec", ["libvvenc", "liboapv", "libxavs2"])
def test_an_encoder_whose_frames_do_not_come_back_is_rejected(film, codec):
    if codec not in encoders():
        pytest.skip("this ffmpeg was built without it")
    with pytest.raises(UsageError, match=f"{codec} cannot be used: when trial frames were encoded"):
        choose_encoding(film, ".mkv", codec)


def test_an_encoder_for_constant_rates_rejects_a_variable_one(tmp_path):
    film = probe(make_clip(tmp_path / "film.mkv", 12, vfr=True))
    with pytest.raises(UsageError, match="mpeg2video cannot encode"):
        choose_encoding(film, ".mkv", "mpeg2video")


@pytest.mark.parametrize("codec", ["libx264", "ffv1", "utvideo", "huffyuv", "mpeg4", "libx265"])
def test_full_range_is_kept_in_matroska(tmp_path, codec):
    source = make_clip(tmp_path / "source.mkv", 2, full_range=True)
    film = probe(source)
    encoding = choose_encoding(film, ".mkv", codec)
    written = rewritten(source, tmp_path / "film.mkv", encoding)
    assert encoding.notes == ()
    assert probe(written.path).range == "pc"
    difference = np.subtract(decoded(written.path)[0][1], decoded(source)[0][1], dtype=np.int16)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("prores_ks", ".mov"), ("mpeg2video", ".mkv"), ("mpeg4", ".mp4"), ("magicyuv", ".mkv")],
)
def test_full_range_that_cannot_be_recorded_is_limited_with_a_note(tmp_path, codec, suffix):
    source = make_clip(tmp_path / "source.mkv", 2, full_range=True)
    film = probe(source)
    encoding = choose_encoding(film, suffix, codec)
    assert len(encoding.notes) == 1
    assert encoding.notes[0].startswith("its full range is reduced to limited range, because")
    written = rewritten(source, tmp_path / f"film{suffix}", encoding)
    assert probe(written.path).range == "tv"
    luma, true = luma_of(written.path), luma_of(source)
    assert np.abs(luma - (16 + true * 219 / 255)).mean() < 3


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("ffv1", ".mkv"), ("prores_ks", ".mkv"), ("prores_ks", ".mov"), ("libvpx-vp9", ".webm"), ("vp9", ".mkv")],
)
@pytest.mark.parametrize("stored", ["ffv1", "libvpx-vp9", "libvpx"])
def test_transparency_is_kept_by_encoders_that_support_it(tmp_path, codec, suffix, stored):
    source = transparent(tmp_path / "source.mkv", stored)
    film = probe(source)
    encoding = choose_encoding(film, suffix, codec)
    assert encoding.alpha
    written = rewritten(source, tmp_path / f"film{suffix}", encoding)
    assert written.path.suffix == suffix
    alpha = alpha_of(probe(written.path))
    assert alpha[:, :20].mean() < 10
    assert alpha[:, -20:].mean() > 245
    with av.open(written.path) as container:
        assert len(list(container.decode(video=0))) == 5
        assert any(each.lower() == "alpha_mode" for each in container.streams.video[0].metadata) == ("vp9" in codec)


def test_transparency_of_10_bits_is_kept_in_8_where_vp9_needs_it(tmp_path):
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2,format=rgba,colorchannelmixer=aa=0.5"]
    run_ffmpeg(*inputs, "-c:v", "prores_ks", "-pix_fmt", "yuva444p10le", tmp_path / "source.mov")
    encoding = choose_encoding(probe(tmp_path / "source.mov"), ".webm")
    assert encoding.notes == ("libvpx-vp9 supports only 8 bits with transparency, so its 10 bits become 8",)
    written = probe(rewritten(tmp_path / "source.mov", tmp_path / "film.webm", encoding).path)
    assert abs(alpha_of(written).mean() - 127.5) < 3


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", ".mkv"), ("libx265", ".mp4"), ("libvpx-vp9", ".mp4"), ("mpeg4", ".mkv")]
)
@pytest.mark.parametrize("stored", ["ffv1", "libvpx-vp9"])
def test_lost_transparency_is_noted(tmp_path, codec, suffix, stored):
    source = transparent(tmp_path / "source.mkv", stored)
    encoding = choose_encoding(probe(source), suffix, codec)
    note = (
        f"its transparency is lost, because {codec} does not support it "
        "(ffv1 and prores_ks do, and libvpx-vp9 in .webm and .mkv)"
    )
    assert encoding.notes == (note,)
    with av.open(rewritten(source, tmp_path / f"film{suffix}", encoding).path) as container:
        assert not any(each.lower() == "alpha_mode" for each in container.streams.video[0].metadata)


def alpha_of(film):
    """The transparency of the first frame, in codes of 8 bits."""
    return next(read_frames(film, alpha=True)).alpha.astype(float) / (1 << (film.depth - 8))


@pytest.mark.parametrize("codec", ["ffv1", "libaom-av1"])
def test_luma_keeps_12_bits(tmp_path, codec):
    source = make_clip(tmp_path / "source.mkv", 3, pix_fmt="yuv420p12le", codec="ffv1")
    film = probe(source)
    written = probe(rewritten(source, tmp_path / "film.mkv", choose_encoding(film, ".mkv", codec)).path)
    assert (film.depth, written.depth) == (12, 12)
    if codec == "ffv1":
        assert np.array_equal(next(read_frames(written)).luma, next(read_frames(film)).luma)


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt", "found"),
    [
        ("prores_ks", ".mov", "yuv422p10le", "prores"),
        ("prores_ks", ".mxf", "yuv422p10le", "prores"),
        ("dnxhr", ".mov", "yuv422p", "dnxhd"),
        ("dnxhr", ".mxf", "yuv422p10le", "dnxhd"),
        (None, ".mxf", "yuv420p", "dnxhd"),
    ],
)
def test_editing_codecs_keep_the_timecode(tmp_path, codec, suffix, pix_fmt, found):
    plain = make_clip(tmp_path / "plain.mov", 5, (256, 144), pix_fmt=pix_fmt, codec="prores_ks")
    sound = ["-f", "lavfi", "-t", 0.2, "-i", "sine=sample_rate=48000"]
    run_ffmpeg(
        "-i", plain, *sound, "-c:v", "copy", "-c:a", "pcm_s24le", "-timecode", "01:02:03:04", tmp_path / "a.mov"
    )
    written = rewritten(tmp_path / "a.mov", tmp_path / f"film{suffix}", choose_encoding(probe(plain), suffix, codec))
    assert written.path.suffix == suffix
    assert [each for each in written.notes if "timecode" in each] == []
    with av.open(written.path) as container:
        assert container.streams.video[0].codec_context.name == found
        assert len(container.streams.audio) == 1
        tags = dict(container.metadata) | dict(container.streams.video[0].metadata)
    assert tags["timecode"] == "01:02:03:04"
    assert read_provenance(written.path) == PROVENANCE


def luma_of(path):
    """The luma of the first frame in codes of 8 bits."""
    film = probe(path)
    return next(read_frames(film)).luma.astype(float) / (1 << (film.depth - 8))


def transparent(path, codec):
    """A film whose left half is transparent."""
    mask = "color=black:size=32x48:rate=25:duration=0.2,pad=64:48:0:0:white[a]"
    graph = f"testsrc2=size=64x48:rate=25:duration=0.2,format=yuva420p[p];{mask};[p][a]alphamerge"
    run_ffmpeg("-filter_complex", graph, "-c:v", codec, "-auto-alt-ref", 0, "-pix_fmt", "yuva420p", path)
    return path


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "ffv1", "mpeg4", "mpeg2video", "prores_ks"])
@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48)])
def test_odd_sizes_survive_every_encoder(tmp_path, codec, size):
    source = make_clip(tmp_path / "source.mkv", 3, size, codec="ffv1")
    film = probe(source)
    written = rewritten(source, tmp_path / "film.mkv", choose_encoding(film, ".mkv", codec))
    after = probe(written.path)
    assert (after.width, after.height) == size
    luma, true = luma_of(written.path), luma_of(source)
    assert np.abs(luma[-1] - true[-1]).mean() < 8
    assert np.abs(luma[:, -1] - true[:, -1]).mean() < 8
