"""JSON and XML for both CIMI versions, driven only by the model tables."""
