"""How good colours are: metrics, tables and contact sheets. Colorizing never imports it."""
