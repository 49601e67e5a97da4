import pytest

from colorcli.errors import UsageError
from colorcli.hints.hint import DEFAULT_RADIUS, Hint, Length, WrittenHint, parse_color, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120,340=#b03020", WrittenHint(Length(120, False), Length(340, False), (176, 48, 32))),
        ("30%,45.5%=navy", WrittenHint(Length(30, True), Length(45.5, True), (0, 0, 128))),
        ("0, 0 = #fff @8", WrittenHint(Length(0, False), Length(0, False), (255, 255, 255), Length(8, False))),
        ("5%,7=rgb(1, 2, 3)@2%", WrittenHint(Length(5, True), Length(7, False), (1, 2, 3), Length(2, True))),
        ("120,340@0:12=red", WrittenHint(Length(120, False), Length(340, False), (255, 0, 0), None, 12.0)),
        (
            "1,2@1:02:03.5=red@4",
            WrittenHint(Length(1, False), Length(2, False), (255, 0, 0), Length(4, False), 3723.5),
        ),
    ],
)
def test_a_hint_is_read_as_people_write_it(text, expected):
    assert WrittenHint.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "120=#b03020", "1,2", "1,2=", "-1,2=red", "1,2=reddish", "1,2=#12", "1,2=#11223344", "1,2=red@", "a,b=red"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="must be"):
        WrittenHint.parse(text)


def test_a_pixel_means_its_center():
    hint = WrittenHint.parse("0,49=red@10").placed(200, 50)
    assert (hint.x, hint.y, hint.radius) == (0.0025, 0.99, 0.05)


def test_positions_in_percent_are_of_each_side_and_radii_of_the_longer_one():
    hint = WrittenHint.parse("25%,100%=red@3%").placed(200, 50)
    assert (hint.x, hint.y, hint.radius) == (0.25, 1.0, 0.03)
    assert WrittenHint.parse("25%,100%=red").placed(200, 50).radius == DEFAULT_RADIUS


@pytest.mark.parametrize("text", ["200,0=red", "0,50=red", "101%,0=red"])
def test_a_hint_outside_of_the_picture_is_refused(text):
    with pytest.raises(UsageError, match="outside the picture, which is 200 x 50 pixels"):
        WrittenHint.parse(text).placed(200, 50)


@pytest.mark.parametrize("hint", [Hint(0.3, 0.45, (176, 48, 32)), Hint(1 / 3, 2 / 3, (0, 0, 128), 0.0313)])
def test_a_hint_is_written_so_that_it_can_be_read_again(hint):
    again = WrittenHint.parse(str(hint)).placed(1000, 1000)
    assert again.rgb == hint.rgb
    assert (again.x, again.y, again.radius) == pytest.approx((hint.x, hint.y, hint.radius), abs=1e-6)


@pytest.mark.parametrize(
    "values", [(1.1, 0, (0, 0, 0)), (0, -0.1, (0, 0, 0)), (0, 0, (0, 0, 256)), (0, 0, (0, 0)), (0, 0, (0, 0, 0), 2)]
)
def test_values_out_of_bounds_are_refused(values):
    with pytest.raises(UsageError, match="must be"):
        Hint(*values)


def test_invalid_times_and_colors_are_refused():
    for parse, text in ((parse_time, "1:2:3:4"), (parse_time, "soon"), (parse_color, "rgba(1, 2, 3, 4)")):
        with pytest.raises(UsageError, match="must be"):
            parse(text)
