"""Tools for development: the platform sandbox, the local stack, the benchmark and checks. Not part of the image."""
