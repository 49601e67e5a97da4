from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorcli.errors import UnwritableMedia
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.encoder import FilmEncoder
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip, plane
from tests.media.films.films import PROVENANCE, chroma, lossless, rewritten


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pix_fmt": "yuv420p10le"},
        {"full_range": True},
        {"full_range": True, "pix_fmt": "yuv420p10le"},
        {"matrix": "smpte170m"},
        {"matrix": None},
        {"size": (63, 47), "codec": "ffv1"},
        {"size": (63, 48), "codec": "ffv1", "pix_fmt": "yuv420p10le"},
        {"pix_fmt": "gray"},
        {"vfr": True},
        {"rotation": 90},
        {"frames": 1},
    ],
    ids=str,
)
def test_the_encoder_receives_the_exact_luma_of_the_source(tmp_path, options):
    source = make_clip(tmp_path / "source.mkv", **options)
    written = rewritten(source, tmp_path / "film.mkv", lossless(probe(source)))
    truth, film = decoded(source), decoded(written.path)
    assert [time for time, _ in film] == [time for time, _ in truth]
    for (_, luma), (_, wanted) in zip(film, truth, strict=True):
        np.testing.assert_array_equal(luma, wanted)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_the_encoder_receives_our_u_and_v(tmp_path, pix_fmt):
    source = make_clip(tmp_path / "source.mkv", 3, pix_fmt=pix_fmt)
    film = probe(source)
    written = rewritten(source, tmp_path / "film.mkv", lossless(film))
    with av.open(written.path) as container:
        for number, frame in enumerate(container.decode(video=0)):
            u, v = chroma(film, number)
            np.testing.assert_array_equal(plane(frame, 1), u)
            np.testing.assert_array_equal(plane(frame, 2), v)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("libx264", "mp4"),
        ("libx264", "mkv"),
        ("libx265", "mp4"),
        ("libsvtav1", "mp4"),
        ("libvpx-vp9", "webm"),
        ("mpeg4", "mov"),
        ("ffv1", "mkv"),
        ("prores_ks", "mov"),
    ],
)
def test_uneven_times_survive_every_encoder(tmp_path, codec, suffix):
    source = make_clip(tmp_path / "source.mp4", 12, (96, 64), vfr=True, fps="24")
    film = probe(source)
    written = rewritten(source, tmp_path / f"film.{suffix}", choose_encoding(film, f".{suffix}", codec))
    truth, times = [time for time, _ in decoded(source)], [time for time, _ in decoded(written.path)]
    tick = 0 if suffix in {"mp4", "mov"} else Fraction(1, 1000)
    assert len(times) == len(truth)
    assert all(abs(time - true) <= tick for time, true in zip(times, truth, strict=True))
    assert written.path.suffix == f".{suffix}"


def test_luma_is_within_codec_noise_by_default(tmp_path):
    source = make_clip(tmp_path / "source.mp4", size=(160, 120))
    written = rewritten(source, tmp_path / "film.mp4")
    noise = [
        np.abs(luma.astype(int) - true).mean()
        for (_, luma), (_, true) in zip(decoded(written.path), decoded(source), strict=True)
    ]
    assert max(noise) < 3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pix_fmt": "yuv420p10le", "matrix": "bt2020nc", "transfer": "bt2020-10"},
        {"full_range": True},
        {"matrix": "smpte170m"},
        {"sample_aspect_ratio": "16/15"},
        {"rotation": 90},
        {"rotation": 180},
        {"fps": "30000/1001"},
        {"fps": "24000/1001", "vfr": True},
        {"frames": 1},
        {"size": (63, 47), "codec": "ffv1"},
        {"size": (63, 47), "codec": "libvpx-vp9"},
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_all_video_properties_except_the_codec_are_kept(tmp_path, options, suffix):
    kept = ("width", "height", "sample_aspect_ratio", "rotation", "mirrored", "variable", "depth")
    kept += ("matrix", "range", "transfer", "primaries", "interlaced", "start")
    source = make_clip(tmp_path / f"source.{suffix if options.get('codec') != 'ffv1' else 'mkv'}", **options)
    before, after = probe(source), probe(rewritten(source, tmp_path / f"film.{suffix}").path)
    assert {name: getattr(after, name) for name in kept} == {name: getattr(before, name) for name in kept}
    if not before.variable:
        assert abs(after.frame_rate - before.frame_rate) < Fraction(1, 100)
        assert abs(after.duration - before.duration) <= 1 / before.frame_rate


def test_an_interlaced_film_becomes_progressive(tmp_path):
    source = make_clip(tmp_path / "source.mp4", interlaced=True)
    assert not probe(rewritten(source, tmp_path / "film.mp4").path).interlaced


def test_tone_mapped_film_is_tagged_as_standard_range(tmp_path):
    source = make_clip(tmp_path / "source.mkv", pix_fmt="yuv420p10le", matrix="bt2020nc", transfer="smpte2084")
    after = probe(rewritten(source, tmp_path / "film.mkv").path)
    assert (after.transfer, after.matrix, after.primaries, after.depth) == ("bt709", "bt709", "bt709", 10)


def test_nothing_is_left_behind_when_colorizing_fails(tmp_path):
    source = make_clip(tmp_path / "source.mp4")
    film = probe(source)
    encoding = choose_encoding(film, ".mp4")
    destination = choose_destination(film, tmp_path / "film.mp4", encoding)

    def colorize():
        with Parts(film, destination, encoding, PROVENANCE) as parts:
            frame = next(read_frames(film))
            parts.write(frame.luma, *chroma(film, 0), frame.time)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        colorize()
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_an_older_film_stays_until_the_new_one_is_complete(tmp_path):
    source = make_clip(tmp_path / "source.mp4")
    (tmp_path / "film.mp4").write_bytes(b"older")
    film = probe(source)
    encoding = choose_encoding(film, ".mp4")
    destination = choose_destination(film, tmp_path / "film.mp4", encoding)
    with Parts(film, destination, encoding, PROVENANCE) as parts:
        for frame in read_frames(film):
            parts.write(frame.luma, *chroma(film, 0), frame.time)
        assert (tmp_path / "film.mp4").read_bytes() == b"older"
        parts.finish()
    assert probe(tmp_path / "film.mp4").frames == 10


@pytest.fixture
def full_disk():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    return Path("/dev/full")


@pytest.mark.parametrize("count", [3, 400])
def test_a_full_disk_is_an_error_that_tells_how_to_resume(tmp_path, full_disk, count):
    film = probe(make_clip(tmp_path / "source.mp4", 3))
    luma, (u, v) = next(read_frames(film)).luma, chroma(film, 0)

    def write():
        with FilmEncoder(film, full_disk, choose_encoding(film, ".mp4"), tmp_path / "film.mp4") as encoder:
            for number in range(count):
                encoder.write(luma, u, v, number * Fraction(1, 25))
            encoder.close()

    with pytest.raises(UnwritableMedia, match=r"film\.mp4: no space left on the disk.*resumes where it stopped"):
        write()


def test_a_folder_that_cannot_be_created_is_an_error_naming_the_film(tmp_path):
    source = make_clip(tmp_path / "source.mp4")
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(UnwritableMedia, match=r"folder/film\.mp4 cannot be written"):
        rewritten(source, tmp_path / "folder/film.mp4")
