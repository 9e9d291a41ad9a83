"""Tapes: what a WBEM server once answered, as text that is kept, compared and replayed."""
