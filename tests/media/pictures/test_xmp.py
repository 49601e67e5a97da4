"""XMP: everything is kept, stale claims are removed, and hostile packets cost nothing."""

from __future__ import annotations

import time

import pytest

from colorcli.media.pictures import xmp
from tests.media.pictures.samples import PROVENANCE

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


def packet(attributes: str = "", inner: str = "", root: str = "x:xmpmeta") -> bytes:
    return (
        f'<{root} xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" {attributes}>{inner}</rdf:Description></rdf:RDF></{root}>'
    ).encode()


@pytest.mark.parametrize(
    "source",
    [
        packet('dc:source="box 7"'),
        packet('dc:source="box 7"', root="x:xapmeta"),
        packet(inner="<dc:source>box 7</dc:source>"),
        packet('dc:source="box 7"').decode().encode("utf-16"),
        b"\xef\xbb\xbf" + packet('dc:source="box 7"') + b"\0" * 40,
        packet('dc:source="box 7"').partition(b'meta/">')[2].rpartition(b"</x:xmpmeta>")[0],
    ],
    ids=["plain", "xapmeta", "element", "utf-16", "padded", "without its wrapper"],
)
def test_packets_of_every_shape_are_kept(source):
    stamped = xmp.stamped_xmp(source, PROVENANCE)
    assert b"box 7" in stamped
    assert stamped.count(b"<x:xmpmeta") == 1
    assert xmp.provenance_in(stamped) == PROVENANCE
    assert not xmp.is_damaged(source)


def test_a_stamp_replaces_the_one_before():
    once = xmp.stamped_xmp(packet('dc:source="box 7"'), PROVENANCE)
    assert xmp.stamped_xmp(once, PROVENANCE) == once


@pytest.mark.parametrize(
    ("attributes", "claim"),
    [
        ('xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"', "gain map"),
        ('xmlns:a="http://ns.apple.com/HDRGainMap/1.0/" a:HDRGainMapVersion="65536"', "gain map"),
        ('xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MotionPhoto="1"', "motion photo"),
        ('xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MicroVideoOffset="9"', "motion photo"),
        ('xmlns:G="http://ns.google.com/photos/1.0/depthmap/" G:Data="AAAA"', "depth map"),
    ],
)
def test_claims_about_dropped_data_are_named_and_left_out(attributes, claim):
    source = packet(f'{attributes} dc:source="box 7"')
    assert claim in " ".join(xmp.claims_in(source))
    stamped = xmp.stamped_xmp(source, PROVENANCE)
    assert xmp.claims_in(stamped) == []
    assert b"box 7" in stamped


def test_a_panorama_stays_a_panorama():
    source = packet('xmlns:P="http://ns.google.com/photos/1.0/panorama/" P:ProjectionType="equirectangular"')
    assert b"equirectangular" in xmp.stamped_xmp(source, PROVENANCE)
    assert xmp.claims_in(source) == []


def test_two_packets_become_one():
    main = packet('xmlns:N="http://ns.adobe.com/xmp/note/" N:HasExtendedXMP="0123" dc:source="box 7"')
    merged = xmp.merged(main, packet(inner="<dc:title>Backyard</dc:title>"))
    assert xmp.extension_of(main) == "0123"
    stamped = xmp.stamped_xmp(merged, PROVENANCE)
    assert b"box 7" in stamped
    assert b"Backyard" in stamped
    assert b"HasExtendedXMP" not in stamped


def test_prefixes_that_clash_with_ours_are_renamed():
    source = packet('xmlns:colorcli="http://house.example/" colorcli:shelf="17"')
    stamped = xmp.stamped_xmp(source, PROVENANCE)
    assert b'="http://house.example/"' in stamped
    assert b':shelf="17"' in stamped
    assert xmp.provenance_in(stamped) == PROVENANCE


HOSTILE = {
    "30,000 prefixes": packet(" ".join(f'xmlns:p{n}="http://p.example/{n}"' for n in range(30_000))),
    "depth": packet(inner="<dc:a>" * 50_000 + "</dc:a>" * 50_000),
    "60,000 beginnings": b"<x:xmpmeta " * 60_000,
    "60,000 beginnings and an end": b"<x:xmpmeta " * 60_000 + b"colorcli:ns:1.0/</x:xmpmeta>",
    "entities": b'<!DOCTYPE a [<!ENTITY b "cccccc">]>' + packet('dc:source="&b;"'),
    "too long": packet(f'dc:source="{"1" * (xmp.MAX_SIZE + 1)}"'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_are_replaced_quickly(name):
    began = time.process_time()
    stamped = xmp.stamped_xmp(HOSTILE[name], PROVENANCE)
    xmp.provenance_in(HOSTILE[name] * 2)
    assert xmp.is_damaged(HOSTILE[name])
    assert xmp.provenance_in(stamped) == PROVENANCE
    assert len(stamped) < 3000
    assert time.process_time() - began < 1
