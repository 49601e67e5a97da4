from colorcli.testing import ColorizerSuite

from colorcli_postcards import Postcards


class TestPostcards(ColorizerSuite):
    colorizer = Postcards()
    side = 64  # at 256 every prediction takes a second
