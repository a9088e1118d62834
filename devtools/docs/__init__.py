"""Generators of the documents in `docs/` that follow from the code."""
