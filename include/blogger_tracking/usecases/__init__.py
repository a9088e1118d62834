"""What the system does, one module per use case, whoever calls it."""
