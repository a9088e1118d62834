"""Kinds of disturbances, one module a theme."""
