"""How fast the system is on this machine, and what it costs: `make bench`."""
