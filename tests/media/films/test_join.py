import hashlib
from fractions import Fraction

import av
import pytest

from colorcli.errors import UnwritableMedia
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.encoder import FilmEncoder
from colorcli.media.films.join import PictureTiming, join
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from tests.media.films.clips import decoded, make_clip, run_ffmpeg
from tests.media.films.films import PROVENANCE, chroma, rewritten


def packets(path, index, start=0):
    """Each packet of a stream: when it is shown, which a cover never says, and what is in it."""
    with av.open(path) as container:
        return [
            (
                None if packet.pts is None else packet.pts * packet.time_base - start,
                hashlib.md5(bytes(packet)).hexdigest(),
            )
            for packet in container.demux(container.streams[index])
            if packet.size
        ]


def described(path):
    """Streams with their dispositions and tags, chapters, and the tags of the whole, but not who wrote it."""
    writer = {"encoder", "xmp", "major_brand", "minor_version", "compatible_brands"}
    with av.open(path) as container:
        streams = [
            (
                each.type,
                int(each.disposition),
                {k.lower(): v for k, v in each.metadata.items() if k.lower() not in {"encoder", "duration"}},
            )
            for each in container.streams
        ]
        chapters = [
            (each["start"] * each["time_base"], each["end"] * each["time_base"], each["metadata"])
            for each in container.chapters()
        ]
        tags = {key.lower(): value for key, value in container.metadata.items() if key.lower() not in writer}
    return streams, chapters, tags


FULL = {
    "mp4": {"audio": "aac", "subtitles": "mov_text", "metadata": {"title": "A film", "comment": "mine"}},
    "mov": {"audio": "pcm_s16le", "metadata": {"title": "A film"}},
    "mkv": {"audio": "flac", "subtitles": "ass", "attachment": True, "metadata": {"title": "A film", "FOO": "bar"}},
    "webm": {"audio": "libopus", "subtitles": "webvtt", "codec": "libvpx-vp9", "metadata": {"title": "A film"}},
}


@pytest.mark.parametrize("suffix", FULL)
def test_all_other_streams_chapters_and_tags_are_copied(tmp_path, suffix):
    source = make_clip(tmp_path / f"source.{suffix}", 20, chapters=True, **FULL[suffix])
    written = rewritten(source, tmp_path / f"film.{suffix}")
    assert written.notes == ()
    assert described(written.path) == described(source)
    for each in written.copied:
        if each.kind != "attachment":
            assert packets(written.path, each.index) == packets(source, each.index)


def test_attachments_are_copied_to_the_byte(tmp_path):
    source = make_clip(tmp_path / "source.mkv", attachment=True)
    written = rewritten(source, tmp_path / "film.mkv")
    with av.open(source) as before, av.open(written.path) as after:
        assert after.streams[1].data == before.streams[1].data


@pytest.mark.parametrize("order", [("1:a", "0:v"), ("0:v", "1:a"), ("1:a", "0:v", "1:a")])
def test_streams_keep_their_order(tmp_path, order):
    picture, sound = make_clip(tmp_path / "picture.mp4"), make_clip(tmp_path / "sound.mp4", audio="aac")
    maps = [word for each in order for word in ("-map", each)]
    run_ffmpeg("-i", picture, "-i", sound, *maps, "-c", "copy", tmp_path / "source.mp4")
    written = rewritten(tmp_path / "source.mp4", tmp_path / "film.mp4")
    assert described(written.path) == described(tmp_path / "source.mp4")


def test_a_second_video_stream_and_a_cover_are_copied(tmp_path):
    make_clip(tmp_path / "one.mp4")
    make_clip(tmp_path / "two.mp4", size=(128, 96))
    run_ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", 1, tmp_path / "cover.png")
    inputs = [word for name in ("one.mp4", "two.mp4", "cover.png") for word in ("-i", tmp_path / name)]
    maps = ["-map", 0, "-map", 1, "-map", 2, "-disposition:v:2", "attached_pic"]
    run_ffmpeg(*inputs, *maps, "-c", "copy", tmp_path / "source.mp4")
    film = probe(tmp_path / "source.mp4")
    written = rewritten(film.path, tmp_path / "film.mp4")
    assert [each.kind for each in probe(written.path).streams] == ["video", "video", "picture"]
    for each in written.copied:
        assert packets(written.path, each.index) == packets(film.path, each.index)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("late", ["picture", "sound"])
def test_video_or_audio_that_starts_late_still_does(tmp_path, suffix, late):
    whole = make_clip(tmp_path / "whole.mp4", 20, audio="aac")
    delays = (["-itsoffset", 0.3], []) if late == "picture" else ([], ["-itsoffset", 0.3])
    inputs = [*delays[0], "-i", whole, *delays[1], "-i", whole]
    run_ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / f"source.{suffix}")
    source = probe(tmp_path / f"source.{suffix}")
    written = probe(rewritten(source.path, tmp_path / f"film.{suffix}").path)

    def gap(film):
        return packets(film.path, 0)[0][0] - packets(film.path, 1)[0][0]

    assert abs(gap(source)) > Fraction(1, 5)
    assert abs(gap(source) - gap(written)) < Fraction(1, 500)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_audio_and_variable_rate_video_keep_their_timing(tmp_path, suffix):
    source = make_clip(tmp_path / f"source.{suffix}", 100, vfr=True, audio="aac")
    written = rewritten(source, tmp_path / f"film.{suffix}").path
    for before, after in zip(decoded(source), decoded(written), strict=True):
        assert before[0] == after[0]
    assert packets(written, 1)[-1] == packets(source, 1)[-1]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_section_has_matching_audio_and_starts_at_zero(tmp_path, suffix):
    source = make_clip(tmp_path / f"source.{suffix}", 75, audio="aac" if suffix != "ts" else "mp2", vfr=True)
    film = probe(source)
    start, end = Fraction(9, 10), Fraction(21, 10)
    written = rewritten(source, tmp_path / f"film.{suffix}", start=start, end=end).path
    for index in (0, 1):
        wanted = [time - start for time, _ in packets(source, index, film.start) if start <= time < end]
        times = sorted(time for time, _ in packets(written, index))
        assert len(times) == len(wanted)
        assert max(abs(time - true) for time, true in zip(times, sorted(wanted), strict=True)) < Fraction(1, 500)


def test_a_section_keeps_the_chapters_within_it(tmp_path):
    source = make_clip(tmp_path / "source.mkv", audio="aac", chapters=True)
    written = rewritten(source, tmp_path / "film.mkv", start=Fraction(1, 10), end=Fraction(3, 10)).path
    assert [(start, end) for start, end, _ in described(written)[1]] == [
        (0, Fraction(6, 100)),
        (Fraction(6, 100), Fraction(2, 10)),
    ]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1"])
def test_pieces_are_joined_seamlessly(tmp_path, codec):
    """Uneven times and frames that are decoded before they are shown overlap where pieces meet."""
    film = probe(make_clip(tmp_path / "source.mkv", 24, (96, 64), vfr=True, scenes=3))
    encoding = choose_encoding(film, ".mkv", codec)
    pieces = [tmp_path / f"{number}.mov" for number in range(3)]
    luma = list(read_frames(film))
    for number, piece in enumerate(pieces):
        with FilmEncoder(film, piece, encoding, piece) as encoder:
            for frame in luma[8 * number : 8 * number + 8]:
                encoder.write(frame.luma, *chroma(film, frame.number), frame.time)
            encoder.close()
    timing = PictureTiming(luma[-1].time, len(luma), film.last_duration)
    for suffix in (".mkv", ".mp4"):
        destination = choose_destination(film, tmp_path / f"film{suffix}", encoding)
        join(film, pieces, destination, PROVENANCE, timing)
        joined = decoded(destination.path)
        assert [time for time, _ in joined] == [frame.time for frame in luma]
        assert all(abs(y.astype(int) - frame.luma).mean() < 6 for (_, y), frame in zip(joined, luma, strict=True))


def test_pieces_encoded_differently_are_not_joined(tmp_path):
    film = probe(make_clip(tmp_path / "source.mkv", 2))
    pieces = [tmp_path / "0.mov", tmp_path / "1.mov"]
    for piece, codec in zip(pieces, ("libx264", "libx265"), strict=True):
        with FilmEncoder(film, piece, choose_encoding(film, ".mkv", codec), piece) as encoder:
            for frame in read_frames(film):
                encoder.write(frame.luma, *chroma(film, 0), frame.time)
            encoder.close()
    destination = choose_destination(film, tmp_path / "film.mkv", choose_encoding(film, ".mkv"))
    with pytest.raises(UnwritableMedia, match="encoded differently"):
        join(film, pieces, destination, PROVENANCE, PictureTiming(Fraction(1, 25), 2, film.last_duration))
    assert not destination.path.exists()


def test_joining_is_reproducible_to_the_byte(tmp_path):
    source = make_clip(tmp_path / "source.mkv", audio="aac", subtitles="srt", attachment=True)
    one, two = rewritten(source, tmp_path / "one.mkv"), rewritten(source, tmp_path / "two.mkv")
    assert one.path.read_bytes() == two.path.read_bytes()


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("picture", ["cover.jpg", "cover.png"])
def test_a_cover_becomes_an_attachment_of_matroska(tmp_path, suffix, picture):
    plain = make_clip(tmp_path / "plain.mp4", audio="aac")
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", 1, tmp_path / picture)
    if suffix == "mkv":
        kind = f"mimetype=image/{'jpeg' if picture.endswith('jpg') else 'png'}"
        attach = ["-attach", tmp_path / picture, "-metadata:s:t", kind]
        run_ffmpeg("-i", plain, "-map", 0, "-c", "copy", *attach, tmp_path / "source.mkv")
    else:
        inputs = ["-i", plain, "-i", tmp_path / picture, "-map", 0, "-map", 1]
        run_ffmpeg(*inputs, "-c", "copy", "-disposition:v:1", "attached_pic", tmp_path / "source.mp4")
    written = rewritten(tmp_path / f"source.{suffix}", tmp_path / "film.mkv")
    assert written.notes == ()
    assert [each.kind for each in probe(written.path).streams] == ["video", "audio", "picture"]
    assert (tmp_path / picture).read_bytes() in written.path.read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", ["mov", "mp4"])
def test_quicktime_keys_are_kept(tmp_path, suffix):
    plain = make_clip(tmp_path / "plain.mov")
    tags = {"com.apple.quicktime.model": "H16", "com.apple.quicktime.location.ISO6709": "+48.1+011.5/", "reel": "7"}
    metadata = [word for key, value in tags.items() for word in ("-metadata", f"{key}={value}")]
    run_ffmpeg("-i", plain, "-c", "copy", "-movflags", "use_metadata_tags", *metadata, tmp_path / "source.mov")
    written = rewritten(tmp_path / "source.mov", tmp_path / f"film.{suffix}").path
    with av.open(written) as container:
        assert tags.items() <= dict(container.metadata).items()


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_h265_is_tagged_for_apple_players(tmp_path, suffix):
    source = make_clip(tmp_path / "source.mp4", 3)
    encoding = choose_encoding(probe(source), f".{suffix}", "libx265")
    with av.open(rewritten(source, tmp_path / f"film.{suffix}", encoding).path) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_statistics_of_the_old_video_are_removed_and_those_of_copied_sound_are_kept(tmp_path):
    stale = ["-metadata:s:v", "BPS=12345", "-metadata:s:v", "NUMBER_OF_FRAMES-eng=9", "-metadata:s:a", "BPS=777"]
    plain = make_clip(tmp_path / "plain.mkv", audio="aac")
    run_ffmpeg("-i", plain, "-c", "copy", *stale, tmp_path / "source.mkv")
    with av.open(rewritten(tmp_path / "source.mkv", tmp_path / "film.mkv").path) as container:
        video, sound = (dict(each.metadata) for each in container.streams)
    assert not {"BPS", "NUMBER_OF_FRAMES-eng", "ENCODER"} & video.keys()
    assert sound["BPS"] == "777"


@pytest.mark.parametrize("angle", [45, 30, -60])
def test_a_display_angle_that_is_no_right_angle_is_kept(tmp_path, angle):
    plain = make_clip(tmp_path / "plain.mp4")
    run_ffmpeg("-display_rotation", angle, "-i", plain, "-c", "copy", tmp_path / "source.mp4")
    before, after = probe(tmp_path / "source.mp4"), probe(rewritten(tmp_path / "source.mp4", tmp_path / "f.mp4").path)
    assert abs((before.rotation + before.tilt + angle) % 360) < 0.1
    assert abs(after.rotation + after.tilt - before.rotation - before.tilt) < 0.1
