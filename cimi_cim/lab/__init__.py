"""WBEM servers of our own: CIM-XML over HTTP in front of a simulated host or a tape."""
