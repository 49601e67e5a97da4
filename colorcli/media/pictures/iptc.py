"""IPTC records within Photoshop's blocks of resources."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
IPTC_RESOURCE = 0x0404


def photoshop_resources(resources: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the data of each resource in a block of Photoshop's."""
    at = 0
    while (at := resources.find(b"8BIM", at)) >= 0 and at + 12 <= len(resources):
        name = resources[at + 6] + 1
        size_at = at + 6 + name + name % 2
        size = int.from_bytes(resources[size_at : size_at + 4], "big")
        yield int.from_bytes(resources[at + 4 : at + 6], "big"), resources[size_at + 4 : size_at + 4 + size]
        at = size_at + 4 + size


def iptc_in_photoshop(resources: bytes) -> bytes:
    """Return the IPTC records in a block of Photoshop resources, b"" if there are none."""
    found = (data for number, data in photoshop_resources(resources) if number == IPTC_RESOURCE)
    return b"".join(dict.fromkeys(found))


def photoshop_of_iptc(iptc: bytes) -> bytes:
    """Return a block of Photoshop resources that contains these IPTC records."""
    header = b"8BIM" + struct.pack(">HxxI", IPTC_RESOURCE, len(iptc))
    return header + iptc + bytes(len(iptc) % 2)
