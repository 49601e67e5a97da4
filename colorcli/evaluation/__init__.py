"""How good colors are: metrics, tables and contact sheets. Colorizing never imports it."""
