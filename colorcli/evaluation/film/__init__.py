"""Evaluation of films: how steady their colors are, and how close to the true ones."""
