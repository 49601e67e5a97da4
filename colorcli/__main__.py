"""`python -m colorcli` is `colorcli`."""

from colorcli.cli import program

program()
