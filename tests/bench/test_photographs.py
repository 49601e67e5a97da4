import numpy as np
from PIL import Image

from colorcli.bench.photographs import make_photograph


def test_a_synthetic_photograph_is_gray_has_its_size_and_is_the_same_every_time(tmp_path):
    make_photograph(tmp_path / "new" / "a.jpg", (60, 40), seed=3)
    make_photograph(tmp_path / "new" / "b.jpg", (60, 40), seed=3)
    make_photograph(tmp_path / "new" / "c.jpg", (60, 40), seed=4)
    a, b, c = (path.read_bytes() for path in sorted((tmp_path / "new").iterdir()))
    assert a == b != c
    with Image.open(tmp_path / "new" / "a.jpg") as image:
        assert (image.mode, image.size) == ("L", (60, 40))
        assert np.asarray(image).std() > 20
