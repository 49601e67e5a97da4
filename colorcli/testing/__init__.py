"""The conformance suite that every colorizer passes: `ColorizerSuite`, for pytest and `colorcli plugins check`."""

from colorcli.testing.suite import ColorizerSuite

__all__ = ["ColorizerSuite"]
