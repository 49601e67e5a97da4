"""Runs the code of plugins so that a faulty one is named and disturbs nothing else, and traces it to its source."""
