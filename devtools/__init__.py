"""Tools for development: the platform sandbox, the local stack and the benchmark. Not part of the image."""
