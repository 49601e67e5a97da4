"""A model and the line that pictures travel: lightness, network, chroma, join."""
