"""Ratios measured in one run; never a pass criterion."""
