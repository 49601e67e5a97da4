"""Public conformance suites for pytest and `colorcli plugins check`: `ColorizerSuite` and `MetricSuite`."""

from colorcli.testing.metrics import MetricSuite
from colorcli.testing.suite import ColorizerSuite

__all__ = ["ColorizerSuite", "MetricSuite"]
