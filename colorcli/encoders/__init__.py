"""Networks that already recognize what a picture shows, for colorizers and recipes to start from; imports torch."""

from colorcli.encoders.decoder import Fusion, Level, PyramidDecoder, convolution
from colorcli.encoders.efficientnet_lite import EfficientNetLite
from colorcli.encoders.gray import GrayEncoder
from colorcli.encoders.learning import EncoderTraining
from colorcli.encoders.pretrained import give_weights, read_wheel

__all__ = [
    "EfficientNetLite",
    "EncoderTraining",
    "Fusion",
    "GrayEncoder",
    "Level",
    "PyramidDecoder",
    "convolution",
    "give_weights",
    "read_wheel",
]
