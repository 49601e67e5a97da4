import pytest

from colorcli.media.films.provenance import append_box, read_provenance, read_xmp, stamp
from colorcli.media.pictures import xmp
from colorcli.media.pictures.metadata import Provenance
from tests.media.films.clips import decoded, make_clip
from tests.media.films.films import PROVENANCE, rewritten


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_a_film_records_what_made_its_colors(tmp_path, suffix):
    source = make_clip(tmp_path / f"source.{suffix}", codec="libvpx-vp9" if suffix == "webm" else "libx264")
    assert read_provenance(source) is None
    written = rewritten(source, tmp_path / f"film.{suffix}")
    assert read_provenance(written.path) == PROVENANCE
    assert xmp.EDITED_BY_AI.encode() in read_xmp(written.path)


def test_xmp_of_the_source_is_kept_in_every_container(tmp_path):
    source = make_clip(tmp_path / "source.mp4")
    plain = xmp.stamped_xmp(b"", Provenance("other", "tag", "0", "x"))
    append_box(source, plain.replace(b'colorcli:Model="other"', b'xmp:Label="Grandmother"'))
    for suffix in ("mp4", "mkv"):
        written = rewritten(source, tmp_path / f"film.{suffix}").path
        assert b"Grandmother" in read_xmp(written)
        assert read_provenance(written) == PROVENANCE


def test_decoders_ignore_the_box(tmp_path):
    film = make_clip(tmp_path / "film.mp4")
    before = [time for time, _ in decoded(film)]
    append_box(film, stamp(film, PROVENANCE))
    assert [time for time, _ in decoded(film)] == before


@pytest.mark.parametrize("content", [b"", b"text", b"\0\0\0\0moov", b"\0\0\0\x18ftypisom", b"\x1a\x45\xdf\xa3"])
def test_other_files_have_no_provenance(tmp_path, content):
    (tmp_path / "film.mp4").write_bytes(content)
    assert read_provenance(tmp_path / "film.mp4") is None
    assert read_provenance(tmp_path / "nowhere.mp4") is None
