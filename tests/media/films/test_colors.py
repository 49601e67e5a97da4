import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.media.films import colors
from colorcli.media.films.ffmpeg import run
from colorcli.media.films.probe import probe
from tests.media.films.clips import decoded, make_clip, run_ffmpeg
from tests.media.films.films import rewritten

NAMES = [
    *(("colorspace", name) for name in colors.MATRICES.values()),
    *(("color_trc", name) for name in colors.TRANSFERS.values()),
    *(("color_primaries", name) for name in colors.PRIMARIES.values()),
    *(("range", name) for name in colors.RANGES.values()),
]


def test_ffmpeg_knows_every_name():
    for option, name in NAMES:
        frame = ["-f", "lavfi", "-i", "color=size=16x16:duration=0.04"]
        run(["-v", "error", *frame, "-vf", f"setparams={option}={name}", "-f", "null", "-"])


@pytest.mark.parametrize("transfer", ["bt470bg", "bt470m", "smpte240m", "iec61966-2-1", "linear"])
def test_a_film_in_any_transfer_characteristic_can_be_made_and_keeps_it(tmp_path, transfer):
    source = make_clip(tmp_path / "source.mp4", 3, transfer=transfer)
    assert probe(source).transfer == transfer
    assert probe(rewritten(source, tmp_path / "film.mp4").path).transfer == transfer


@pytest.mark.parametrize("matrix", ["ycgco", "bt2020c", "smpte2085", "chroma-derived-nc", "ictcp"])
def test_a_matrix_that_is_not_supported_is_not_taken_for_another(tmp_path, matrix):
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2"]
    run_ffmpeg(*picture, "-vf", f"format=yuv420p,setparams=colorspace={matrix}", "-c:v", "ffv1", tmp_path / "a.mkv")
    with pytest.raises(UnreadableMedia, match=f"the color matrix {matrix} is not supported"):
        probe(tmp_path / "a.mkv")


def test_a_pal_dvd_can_be_made(tmp_path):
    tags = "setparams=range=tv:colorspace=bt470bg:color_primaries=bt470bg:color_trc=bt470bg"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=352x288:rate=25:duration=0.4", "-vf", tags]
    run_ffmpeg(*picture, "-c:v", "mpeg2video", tmp_path / "source.vob")
    after = probe(rewritten(tmp_path / "source.vob", tmp_path / "film.mkv").path)
    assert (after.matrix, after.primaries, after.transfer) == ("bt470bg", "bt470bg", "bt470bg")


@pytest.mark.parametrize("pix_fmt", ["yuyv422", "uyvy422", "nv12", "yvyu422"])
def test_packed_and_semiplanar_yuv_is_not_taken_for_rgb(tmp_path, pix_fmt):
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2"]
    run_ffmpeg(*picture, "-c:v", "rawvideo", "-pix_fmt", pix_fmt, tmp_path / "source.nut")
    film = probe(tmp_path / "source.nut")
    assert not film.rgb
    assert not any("RGB" in note for note in film.notes)
    written = rewritten(tmp_path / "source.nut", tmp_path / "film.mkv")
    run_ffmpeg("-i", tmp_path / "source.nut", "-pix_fmt", "yuv422p", "-c:v", "ffv1", tmp_path / "planar.mkv")
    difference = decoded(written.path)[0][1].astype(int) - decoded(tmp_path / "planar.mkv")[0][1]
    assert np.abs(difference).mean() < 3
