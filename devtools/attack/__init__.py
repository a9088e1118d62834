"""Attacks on a stack of its own: what was tried against the system is repeated, and every try has to be repelled."""
