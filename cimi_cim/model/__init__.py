"""The CIMI resource tables as data, and the frozen types that load them."""
