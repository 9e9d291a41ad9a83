"""What WBEM servers make, change and delete for a request: checked first, then durable Jobs."""
