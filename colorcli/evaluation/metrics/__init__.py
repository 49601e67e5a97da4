"""Metrics that compare colors with the true ones."""
