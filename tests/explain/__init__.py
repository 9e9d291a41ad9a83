"""Explanations: of every collection on every shipped mapping, of changes, of failures."""
