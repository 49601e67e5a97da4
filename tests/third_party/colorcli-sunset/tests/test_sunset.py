"""Whether the sunset keeps what every colorizer promises."""

from colorcli_sunset import Sunset

from colorcli.testing import ColorizerSuite


class TestSunset(ColorizerSuite):
    colorizer = Sunset()
