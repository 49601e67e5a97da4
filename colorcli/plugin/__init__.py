"""Plugins: their hooks, how they are loaded and checked, and the template of a new one.

Outsiders import `colorcli.hookimpl`, `colorcli.Registry` and `colorcli.API_VERSION` instead of these modules.
"""
