"""Weights in, a verified local file out: bundled, from the Hugging Face cache, or from the Hub.

Nothing opens a file before its size and sha256 are known to be those of the manifest, and nothing in it is ever run.
"""

from colorcli.weights.files import Header, describe, open_file, read_header, read_state, write_state
from colorcli.weights.hub import HUB_PATIENCE
from colorcli.weights.resolver import Located, fetch, is_here, is_on_the_hub, locate

__all__ = [
    "HUB_PATIENCE",
    "Header",
    "Located",
    "describe",
    "fetch",
    "is_here",
    "is_on_the_hub",
    "locate",
    "open_file",
    "read_header",
    "read_state",
    "write_state",
]
