"""Use cases: planning, fetching, finishing a run, initial fetches, adding a blogger, consuming the queues."""
