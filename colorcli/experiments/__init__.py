"""Experiments: declared in TOML files, trained, evaluated and written as one page, for `colorcli paper`."""
