"""Finds out what a WBEM server is like, and what a mapping can serve from it; changes nothing."""
