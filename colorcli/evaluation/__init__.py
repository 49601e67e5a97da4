"""Metrics, and tables of them for photographs and films. Colorizing never imports this package."""
