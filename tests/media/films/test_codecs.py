import pytest

from colorcli.errors import UsageError
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.probe import probe
from tests.media.films.clips import make_clip


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
    ],
)
def test_pixels_keep_their_depth_and_size_or_a_note_tells(tmp_path, pix_fmt, size, codec, written, notes):
    film = probe(make_clip(tmp_path / "film.mkv", 2, size, pix_fmt=pix_fmt, codec="ffv1"))
    encoding = choose_encoding(film, ".mkv", codec)
    assert encoding.pixel_format == written
    assert len(encoding.notes) == notes
