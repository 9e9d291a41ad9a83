"""The OpenAPI 3.1 document: what is served, told from the model tables and the catalog."""
