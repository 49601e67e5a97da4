import re
import shutil
import struct
import subprocess
import zlib
from fractions import Fraction

import av
import pytest

from colorcli.media.films.chapters import chapter_languages
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.probe import probe
from tests.media.films.clips import make_clip
from tests.media.films.films import rewritten


def in_languages(path, *languages):
    """A film with two chapters, whose titles are in languages that ffmpeg would not write."""
    make_clip(path, chapters=True)
    spoken = iter(languages)
    named = re.sub(rb"(?<=\x43\x7c\x83)und", lambda _: next(spoken).encode(), path.read_bytes(), count=len(languages))
    path.write_bytes(named)
    return path


def titles_of(path):
    with av.open(path) as container:
        return [each["metadata"]["title"] for each in container.chapters()]


@pytest.mark.parametrize(("one", "two"), [("fre", "fre"), ("ger", "jpn"), ("und", "spa"), ("eng", "eng")])
@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_matroska_keeps_the_language_of_chapters(tmp_path, one, two, suffix):
    source = in_languages(tmp_path / "source.mkv", one, two)
    encoding = choose_encoding(probe(source), f".{suffix}", "libvpx-vp9" if suffix == "webm" else None)
    written = rewritten(source, tmp_path / f"film.{suffix}", encoding)
    assert chapter_languages(written.path) == [{"Leaving": one}, {"Arriving": two}]
    assert titles_of(written.path) == ["Leaving", "Arriving"]
    assert not [note for note in written.notes if "language" in note]


def test_the_checksum_of_the_chapters_is_right(tmp_path):
    whole = rewritten(in_languages(tmp_path / "source.mkv", "fre", "ger"), tmp_path / "film.mkv").path.read_bytes()
    at = whole.index(b"\xbf\x84", whole.index(b"\x45\xb9") - 20)
    end = whole.rindex(b"\x43\x7c\x83ger") + 6
    assert struct.unpack("<I", whole[at + 2 : at + 6])[0] == zlib.crc32(whole[at + 6 : end])


def test_chapters_of_a_section_keep_their_language(tmp_path):
    source = in_languages(tmp_path / "source.mkv", "fre", "ger")
    written = rewritten(source, tmp_path / "film.mkv", start=Fraction(1, 4))
    assert chapter_languages(written.path) == [{"Arriving": "ger"}]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_a_note_says_that_other_containers_lose_the_language_of_chapters(tmp_path, suffix):
    film = probe(in_languages(tmp_path / "source.mkv", "fre", "ger"))
    destination = choose_destination(film, tmp_path / f"film{suffix}", choose_encoding(film, suffix))
    assert destination.notes == ("the language of its chapters (fre, ger) is lost, because ffmpeg cannot write it",)


@pytest.mark.skipif(not shutil.which("mkvmerge"), reason="mkvmerge is not installed")
def test_a_note_says_which_of_several_titles_is_kept(tmp_path):
    make_clip(tmp_path / "plain.mkv")
    titles = "".join(
        f"<ChapterDisplay><ChapterString>{text}</ChapterString><ChapterLanguage>{language}</ChapterLanguage>"
        "</ChapterDisplay>"
        for text, language in [("Départ", "fre"), ("Abfahrt", "ger")]
    )
    (tmp_path / "chapters.xml").write_text(
        '<?xml version="1.0"?><Chapters><EditionEntry><ChapterAtom><ChapterTimeStart>0:00:00</ChapterTimeStart>'
        f"{titles}</ChapterAtom></EditionEntry></Chapters>",
        encoding="utf-8",
    )
    command = ["mkvmerge", "-q", "-o", "source.mkv", "--chapters", "chapters.xml", "plain.mkv"]
    subprocess.run(command, check=True, cwd=tmp_path)
    film = probe(tmp_path / "source.mkv")
    assert film.notes == ("its chapters have several titles each, of which one is kept (ger)",)
    written = rewritten(film.path, tmp_path / "film.mkv").path
    assert chapter_languages(written) == [{"Abfahrt": "ger"}]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_films_without_chapters_have_no_languages(tmp_path, suffix):
    path = make_clip(tmp_path / f"film.{suffix}")
    assert chapter_languages(path) == []
    assert probe(path).chapter_languages == {}


@pytest.mark.parametrize("head", [b"\x1a\x45\xdf\xa3\x08\x80", b"\x1a\x45\xdf\xa3\x01\xff\xff"])
def test_a_size_that_is_cut_off_ends_the_search(tmp_path, head):
    (tmp_path / "film.mkv").write_bytes(head)
    assert chapter_languages(tmp_path / "film.mkv") == []


@pytest.mark.parametrize("kept", [3, 60, 300, 500, 700])
def test_a_truncated_film_ends_the_search(tmp_path, kept):
    path = in_languages(tmp_path / "film.mkv", "fre", "ger")
    path.write_bytes(path.read_bytes()[:kept])
    assert len(chapter_languages(path)) <= 2
