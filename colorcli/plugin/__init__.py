"""Plugins: the hooks, the plugin manager, the registry and the template of a new plugin."""
