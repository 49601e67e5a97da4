"""Pictures and films in and out."""

from colorcli.files import shown

__all__ = ["shown"]
