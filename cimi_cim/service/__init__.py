"""Use cases: read, act. No HTTP words, no CIM words."""
