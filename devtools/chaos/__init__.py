"""Chaos: the real stack against the platform sandbox, disturbed on purpose, and checked after each disturbance."""
