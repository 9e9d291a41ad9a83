"""ResourceMetadata: what holds for resources here, told, edited and enforced (DSP0263 5.11)."""
