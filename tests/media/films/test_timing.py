from fractions import Fraction

import av
import pytest

from colorcli.media.films.probe import probe
from tests.media.films.clips import decoded, make_clip, run_ffmpeg
from tests.media.films.films import rewritten


def duration(path):
    with av.open(path) as container:
        return Fraction(container.duration, av.time_base)


@pytest.mark.parametrize(("standard", "rate"), [("pal", Fraction(25)), ("ntsc", Fraction(30000, 1001))])
def test_raw_dv_has_the_rate_of_its_frames(tmp_path, standard, rate):
    size = "720x576" if standard == "pal" else "720x480"
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration=0.5"]
    run_ffmpeg(
        *picture, "-f", "lavfi", "-i", "sine=duration=0.5", "-ac", 2, "-target", f"{standard}-dv", tmp_path / "a.dv"
    )
    film = probe(tmp_path / "a.dv")
    assert film.frame_rate == rate
    assert not film.variable
    assert abs(probe(rewritten(film.path, tmp_path / "film.mkv").path).frame_rate - rate) < Fraction(1, 100)


@pytest.mark.parametrize("fps", ["24000/1001", "15", "50", "1", "16"])
@pytest.mark.parametrize("suffix", ["mkv", "avi", "ts", "mp4"])
def test_declared_and_true_rates_agree(tmp_path, fps, suffix):
    codec = "mpeg4" if suffix == "avi" else "libx264"
    film = probe(make_clip(tmp_path / f"film.{suffix}", 30, fps=fps, codec=codec))
    assert abs(film.frame_rate - Fraction(fps)) < Fraction(1, 50)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("seconds", [4, Fraction(1, 2)])
def test_the_duration_of_the_last_frame_is_kept(tmp_path, suffix, seconds):
    plain = make_clip(tmp_path / "plain.mp4", 25, extra=["-bf", "0"])
    last = f"setts=pts=PTS:dts=DTS:duration='if(eq(N,24),{float(seconds)}/TB,DURATION)'"
    run_ffmpeg("-i", plain, "-c", "copy", "-bsf:v", last, tmp_path / "source.mp4")
    written = rewritten(tmp_path / "source.mp4", tmp_path / f"film.{suffix}").path
    assert abs(duration(tmp_path / "source.mp4") - (Fraction(24, 25) + seconds)) < Fraction(1, 50)
    assert abs(duration(written) - duration(tmp_path / "source.mp4")) < Fraction(1, 100)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_gap_before_the_last_frames_does_not_lengthen_the_film(tmp_path, suffix):
    gap = "settb=1/1000,setpts='if(lt(N,20),N*40,N*40+6000)'"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.92", "-vf", gap]
    run_ffmpeg(*picture, "-enc_time_base", "1/1000", "-fps_mode", "passthrough", tmp_path / "source.mkv")
    film = probe(tmp_path / "source.mkv")
    assert film.variable
    written = rewritten(film.path, tmp_path / f"film.{suffix}").path
    assert abs(duration(written) - Fraction(692, 100)) < Fraction(1, 20)
    assert [time for time, _ in decoded(written)] == [time for time, _ in decoded(film.path)]


@pytest.mark.parametrize("end", [Fraction(1, 2), Fraction(33, 100), 2])
def test_a_section_ends_at_its_end(tmp_path, end):
    source = make_clip(tmp_path / "source.mp4", 50)
    written = rewritten(source, tmp_path / "film.mp4", end=Fraction(end)).path
    assert abs(duration(written) - end) < Fraction(1, 100)
