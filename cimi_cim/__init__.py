"""A bridge from CIM/WBEM-managed virtualization to the DMTF CIMI cloud API."""

__version__ = "0.1.0"
