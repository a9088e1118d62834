"""Benchmark of the system on this machine: speed, CPU time and memory (`make bench`)."""
