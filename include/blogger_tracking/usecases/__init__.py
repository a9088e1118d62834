"""Use cases: the operations of the system, independent of the caller."""
