"""HTTP: routing, negotiation, error bodies. Knows CIMI, never a CIM class."""
