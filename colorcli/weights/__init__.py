"""Finding, downloading, verifying and reading weights: bundled, cached, or on the Hugging Face Hub.

A file is opened only after its size and sha256 match the manifest, and nothing in it is ever executed.
"""

from colorcli.weights.files import Header, describe, open_file, read_header, read_state, write_state
from colorcli.weights.resolver import LocatedWeights, fetch, is_hub_uri, is_local, locate

__all__ = [
    "Header",
    "LocatedWeights",
    "describe",
    "fetch",
    "is_hub_uri",
    "is_local",
    "locate",
    "open_file",
    "read_header",
    "read_state",
    "write_state",
]
