"""Whether sunset keeps what every colorizer promises."""

from colorcli.testing import ColorizerSuite

from colorcli_sunset import Sunset


class TestSunset(ColorizerSuite):
    colorizer = Sunset()
