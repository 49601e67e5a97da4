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
    """Each packet of a stream: when it is shown, which a cover does not state, and its content."""
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


def test_attachments_are_copied_byte_for_byte(tmp_path):
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


def test_joining_is_reproducible_byte_for_byte(tmp_path):
    source = make_clip(tmp_path / "source.mkv", audio="aac", subtitles="srt", attachment=True)
    one, two = rewritten(source, tmp_path / "one.mkv"), rewritten(source, tmp_path / "two.mkv")
    assert one.path.read_bytes() == two.path.read_bytes()


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("picture", ["cover.jpg", "cover.png", "cover.bmp"])
def test_a_cover_becomes_an_attachment_of_matroska(tmp_path, suffix, picture):
    plain = make_clip(tmp_path / "plain.mp4", audio="aac")
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", 1, tmp_path / picture)
    if suffix == "mkv":
        kind = f"mimetype=image/{picture.partition('.')[2].replace('jpg', 'jpeg')}"
        attach = ["-attach", tmp_path / picture, "-metadata:s:t", kind]
        run_ffmpeg("-i", plain, "-map", 0, "-c", "copy", *attach, tmp_path / "source.mkv")
    else:
        inputs = ["-i", plain, "-i", tmp_path / picture, "-map", 0, "-map", 1]
        run_ffmpeg(*inputs, "-c", "copy", "-disposition:v:1", "attached_pic", tmp_path / "source.mp4")
    written = rewritten(tmp_path / f"source.{suffix}", tmp_path / "film.mkv")
    assert written.notes == ()
    cover = "attachment" if picture.endswith("bmp") else "picture"  # which ffmpeg does not show
    assert [each.kind for each in probe(written.path).streams] == ["video", "audio", cover]
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


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4v"])
@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx265", "yuv420p"), ("h265", "yuv420p10le")])
def test_h265_is_tagged_for_apple_players(tmp_path, suffix, codec, pix_fmt):
    source = make_clip(tmp_path / "source.mp4", 3, pix_fmt=pix_fmt)
    encoding = choose_encoding(probe(source), f".{suffix}", codec)
    with av.open(rewritten(source, tmp_path / f"film.{suffix}", encoding).path) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    "tag",
    ["BPS", "BPS-eng", "NUMBER_OF_FRAMES-eng", "NUMBER_OF_BYTES", "_STATISTICS_WRITING_APP", "_STATISTICS_TAGS-eng"],
)
@pytest.mark.parametrize("end", [None, Fraction(1, 5)])
def test_statistics_are_kept_only_of_streams_that_are_copied_whole(tmp_path, tag, end):
    plain = make_clip(tmp_path / "plain.mkv", audio="aac")
    stale = ["-metadata:s:v", f"{tag}=12345", "-metadata:s:a", f"{tag}=777", "-metadata:s:v", "title=Reel 1"]
    run_ffmpeg("-i", plain, "-c", "copy", *stale, tmp_path / "source.mkv")
    with av.open(rewritten(tmp_path / "source.mkv", tmp_path / "film.mkv", end=end).path) as container:
        video, sound = (dict(each.metadata) for each in container.streams)
    assert tag not in video
    assert sound.get(tag) == (None if end else "777")
    assert video["title"] == "Reel 1"


@pytest.mark.parametrize(("before", "after"), [("mkv", "mkv"), ("mkv", "mp4"), ("mp4", "mkv"), ("mov", "mov")])
def test_no_tag_names_the_encoder_of_the_old_video(tmp_path, before, after):
    source = make_clip(tmp_path / f"source.{before}", extra=["-metadata:s:v", "encoder=Kinograph 3"])
    written = rewritten(source, tmp_path / f"film.{after}").path
    with av.open(written) as container:
        assert "encoder" not in [each.lower() for each in container.streams.video[0].metadata]
    assert b"Kinograph" not in written.read_bytes()


@pytest.mark.parametrize("angle", [45, 30, -60])
def test_a_display_angle_other_than_a_right_angle_is_kept(tmp_path, angle):
    plain = make_clip(tmp_path / "plain.mp4")
    run_ffmpeg("-display_rotation", angle, "-i", plain, "-c", "copy", tmp_path / "source.mp4")
    before, after = probe(tmp_path / "source.mp4"), probe(rewritten(tmp_path / "source.mp4", tmp_path / "f.mp4").path)
    assert abs((before.rotation + before.tilt + angle) % 360) < 0.1
    assert abs(after.rotation + after.tilt - before.rotation - before.tilt) < 0.1


def test_several_covers_are_attached_beside_a_font(tmp_path):
    plain = make_clip(tmp_path / "plain.mkv", audio="aac", attachment=True)
    attach: list[object] = []
    for number, name in enumerate(("cover.jpg", "small_cover.png", "cover_land.jpg"), 1):
        run_ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={16 * number}x32", "-frames:v", 1, tmp_path / name)
        kind = "image/png" if name.endswith("png") else "image/jpeg"
        attach += ["-attach", tmp_path / name, f"-metadata:s:{number + 2}", f"mimetype={kind}"]
    run_ffmpeg("-i", plain, "-map", 0, "-c", "copy", *attach, tmp_path / "source.mkv")
    written = rewritten(tmp_path / "source.mkv", tmp_path / "film.mkv").path
    assert sorted(each.kind for each in probe(written).streams) == sorted(
        ["video", "audio", "attachment", "picture", "picture", "picture"]
    )
    for name in ("cover.jpg", "small_cover.png", "cover_land.jpg"):
        assert (tmp_path / name).read_bytes() in written.read_bytes()
        assert name.encode() in written.read_bytes()


# Sections -------------------------------------------------------------------------------------------------------


def with_subtitles(path, *texts, kind="srt", order=("0:v", "1:s", "2:a")):
    """A film of 4 s with sound and with texts, each from and to a second."""
    lines = [
        f"{number}\n00:00:0{begin:.3f} --> 00:00:0{end:.3f}\n{text}\n".replace(".", ",")
        for number, (begin, end, text) in enumerate(texts, 1)
    ]
    path.with_name("texts.srt").write_text("\n".join(lines))
    plain = make_clip(path.with_name(f"plain{path.suffix}"), 100, audio="aac")
    inputs = ["-i", plain, "-i", path.with_name("texts.srt"), "-i", plain]
    maps = [word for each in order for word in ("-map", each)]
    run_ffmpeg(*inputs, *maps, "-c", "copy", "-c:s", kind, path)
    return path


def texts_of(path):
    """When each text appears and disappears, in seconds, and what it is."""
    with av.open(path) as container:
        shown = [
            (float(each.pts * each.time_base), float((each.pts + each.duration) * each.time_base), bytes(each))
            for each in container.demux(subtitles=0)
            if each.size > 2 and each.pts is not None
        ]
    return [(round(begin, 2), round(end, 2), text.rpartition(b",")[2].strip(b"\0")) for begin, end, text in shown]


TEXTS = [(0, 0.5, "gone"), (0.8, 2.5, "on screen"), (2.6, 3, "later")]


@pytest.mark.parametrize(("suffix", "kind"), [("mkv", "srt"), ("mkv", "ass"), ("webm", "webvtt")])
@pytest.mark.parametrize("order", [("0:v", "1:s", "2:a"), ("1:s", "2:a", "0:v"), ("2:a", "0:v", "1:s")])
def test_a_subtitle_on_screen_at_the_start_of_a_section_is_kept(tmp_path, suffix, kind, order):
    source = with_subtitles(tmp_path / "source.mkv", *TEXTS, kind=kind, order=order)
    written = rewritten(source, tmp_path / "film.mkv", start=Fraction(2), end=Fraction(14, 5)).path
    assert texts_of(written) == [(0, 0.5, b"on screen"), (0.6, 0.8, b"later")]
    assert [each["type"] for each in streams_of(written)] == [each["type"] for each in streams_of(source)]


def streams_of(path):
    with av.open(path) as container:
        return [{"type": each.type, "tags": dict(each.metadata)} for each in container.streams]


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_timed_text_on_screen_at_the_start_of_a_section_is_kept(tmp_path, suffix):
    source = with_subtitles(tmp_path / f"source.{suffix}", *TEXTS, kind="mov_text")
    written = rewritten(source, tmp_path / f"film.{suffix}", start=Fraction(2)).path
    shown = [(begin, end, text[-9:]) for begin, end, text in texts_of(written)]
    assert shown == [(0, 0.5, b"on screen"), (0.6, 1, shown[1][2])]
    assert shown[1][2].endswith(b"later")


@pytest.mark.parametrize(("start", "first"), [(1, 1.5), (Fraction(249, 100), 0.01), (Fraction(5, 2), None)])
def test_a_subtitle_is_shown_until_it_ends(tmp_path, start, first):
    source = with_subtitles(tmp_path / "source.mkv", *TEXTS)
    written = rewritten(source, tmp_path / "film.mkv", start=Fraction(start)).path
    found = [(begin, end) for begin, end, text in texts_of(written) if text == b"on screen"]
    assert found == ([(0, pytest.approx(first, abs=0.02))] if first else [])
