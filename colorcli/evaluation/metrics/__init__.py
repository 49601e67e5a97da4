"""Metrics that compare predicted colors with the true ones."""
