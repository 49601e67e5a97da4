"""Evaluation of films: how stable their colors are and how close to the true ones."""
