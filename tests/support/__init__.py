"""Shared helpers of the tests: servers, builders and steps."""
