"""Jobs: what the provider did, or does, for a request (DSP0263 5.17.1)."""
