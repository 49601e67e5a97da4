"""The plugins in here are distributions of their own: they are installed and tested as such."""

collect_ignore = ["colorcli-sunset"]
