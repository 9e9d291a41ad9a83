"""CIM class declarations: MOF in, frozen declarations out, compiled once and cached."""
