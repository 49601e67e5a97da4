import numpy as np
from PIL import Image

from colorcli.training.curves import draw_lines


def test_a_line_of_one_point_can_be_seen(tmp_path):
    draw_lines(tmp_path / "curves.png", {"loss": ([1], [0.5])}, "After one epoch", "epoch")
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    middle = pixels[height // 3 : -height // 3, width // 3 : -width // 3]  # where the legend is not
    assert (np.ptp(middle, axis=-1) > 100).any()
