"""A model, and the pipeline that frames pass through: lightness, network, chroma, join."""
