"""Whether sunset keeps the promises of every colorizer."""

from colorcli.testing import ColorizerSuite

from colorcli_sunset import Sunset


class TestSunset(ColorizerSuite):
    colorizer = Sunset()
