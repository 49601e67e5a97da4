"""Color hints: what users say about the color of places in a picture, and how it spreads over a prediction."""
