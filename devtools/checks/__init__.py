"""Checks of the project's own rules that no published linter knows."""
