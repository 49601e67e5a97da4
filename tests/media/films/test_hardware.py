"""No graphics card is needed: a script that runs the real ffmpeg takes the part of one, and returns what it would."""

import os

import numpy as np
import pytest

from colorcli.media.films import ffmpeg, hardware
from colorcli.media.films.hardware import choose_decoder, describe_decoder
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip

CARD = """#!/bin/bash
case "$*" in
  *-hwaccels*) printf 'Hardware acceleration methods:\\nvaapi\\ncuda\\n\\n'; exit;;
  *-hwaccel*) ;;
  *) exec {real} "$@";;
esac
arguments=() output=memory
while (($#)); do
  case "$1" in
    -hwaccel) device=$2; shift;;
    -hwaccel_output_format) output=card; shift;;
    -vf) if [ $output = card ]; then filters=${{2#hwdownload,}}; else filters=format={packed},$2; fi
      arguments+=(-vf "$filters"); shift;;
    *) arguments+=("$1");;
  esac
  shift
done
if [ $device = cuda ]; then echo 'Cannot load libcuda.so.1' >&2; exit 1; fi
{then}
"""
DECODES = 'exec {real} "${{arguments[@]}}"'
FAILS_LATER = """if [ $output = card ]; then exec {real} "${{arguments[@]}}"; fi
{real} "${{arguments[@]}}" | head -c 20000
echo 'Failed to upload decode parameters' >&2
exit 1"""
DECODES_WRONGLY = '{real} "${{arguments[@]}}" | sed "s/[0-9a-f]\\{{32\\}}/0123456789abcdef0123456789abcdef/"'

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the card is a shell script")


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Put an ffmpeg on the PATH whose VA-API works, or fails in some way, and whose CUDA cannot be opened."""
    real = ffmpeg.find_ffmpeg().path

    def put(then=DECODES, packed="nv12"):
        path = tmp_path / "bin" / "ffmpeg"
        path.parent.mkdir()
        path.write_text(CARD.format(real=real, packed=packed, then=then.format(real=real)))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
        forget()

    def forget():
        ffmpeg.find_ffmpeg.cache_clear()
        hardware._built_in.cache_clear()

    yield put
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize(
    ("packed", "options"),
    [
        ("nv12", {}),
        ("nv12", {"full_range": True}),
        ("nv12", {"matrix": "smpte170m", "size": (66, 50)}),
        ("nv12", {"interlaced": True}),
        ("p010le", {"pix_fmt": "yuv420p10le"}),
    ],
    ids=str,
)
def test_frames_of_a_card_have_the_luma_and_colors_of_the_cpu(tmp_path, card, packed, options):
    path = make_clip(tmp_path / "film.mkv", **options)
    with read_frames(probe(path)) as reader, read_frames(probe(path), rgb=True) as colors:
        luma, rgb = [each.luma for each in reader], [each.rgb for each in colors]
    card(packed=packed)
    film = choose_decoder(probe(path), "auto")
    assert film.hardware == "vaapi"
    assert "with vaapi; frames are downloaded to memory" in describe_decoder(film)
    with read_frames(film) as reader, read_frames(film, rgb=True) as colors:
        np.testing.assert_array_equal([each.luma for each in reader], luma)
        np.testing.assert_array_equal([each.rgb for each in colors], rgb)


def test_a_card_that_fails_in_the_middle_is_replaced_by_the_cpu(tmp_path, card):
    path = make_clip(tmp_path / "film.mkv", 40)
    truth = decoded(path)
    card(FAILS_LATER)
    film = choose_decoder(probe(path), "auto")
    assert film.hardware == "vaapi"
    with read_frames(film) as reader:
        read = list(reader)
    assert [(each.number, each.time) for each in read] == [(number, time) for number, (time, _) in enumerate(truth)]
    np.testing.assert_array_equal([each.luma for each in read], [luma for _, luma in truth])
    assert reader.notes == []


def test_a_card_whose_frames_differ_is_not_used(tmp_path, card):
    path = make_clip(tmp_path / "film.mkv")
    card(DECODES_WRONGLY)
    film = choose_decoder(probe(path), "auto")
    assert film.hardware == ""
    assert film.hardware_refused == ("cuda: Cannot load libcuda.so.1; vaapi: its frames differ from those of the CPU")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"codec": "ffv1"}, "ffv1 is decoded there only"),
        ({"pix_fmt": "yuv444p"}, "yuv444p is decoded there only"),
        ({"codec": "mpeg4"}, "mpeg4 is decoded there only"),
    ],
)
def test_what_a_card_may_decode_otherwise_stays_on_the_cpu(tmp_path, card, options, reason):
    path = make_clip(tmp_path / "film.mkv", **options)
    card()
    film = choose_decoder(probe(path), "auto")
    assert (film.hardware, film.hardware_refused) == ("", reason)
    assert describe_decoder(film).endswith(f"on the CPU ({reason}).")


def test_devices_of_this_machine_that_cannot_be_opened_leave_the_film_to_the_cpu(tmp_path):
    """The ffmpeg in use, as it is: whatever is here, the frames are the same."""
    path = make_clip(tmp_path / "film.mkv")
    film = choose_decoder(probe(path), "auto")
    assert bool(film.hardware) != bool(film.hardware_refused)
    with read_frames(film) as reader:
        np.testing.assert_array_equal([each.luma for each in reader], [luma for _, luma in decoded(path)])


def test_no_device_is_tried_unless_asked_for(tmp_path, card):
    path = make_clip(tmp_path / "film.mkv")
    card()
    film = probe(path)
    assert choose_decoder(film, "off") is film
