"""IPTC records within Photoshop's blocks of resources."""

from __future__ import annotations

import struct

PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
IPTC_RESOURCE = 0x0404


def iptc_in_photoshop(resources: bytes) -> bytes:
    """Return the IPTC records in a block of Photoshop resources, b"" if there are none."""
    at = 0
    while (at := resources.find(b"8BIM", at)) >= 0 and at + 12 <= len(resources):
        name = resources[at + 6] + 1
        size_at = at + 6 + name + name % 2
        size = int.from_bytes(resources[size_at : size_at + 4], "big")
        if resources[at + 4 : at + 6] == struct.pack(">H", IPTC_RESOURCE):
            return resources[size_at + 4 : size_at + 4 + size]
        at = size_at + 4 + size
    return b""


def photoshop_of_iptc(iptc: bytes) -> bytes:
    """Return a block of Photoshop resources that contains these IPTC records."""
    header = b"8BIM" + struct.pack(">HxxI", IPTC_RESOURCE, len(iptc))
    return header + iptc + bytes(len(iptc) % 2)
