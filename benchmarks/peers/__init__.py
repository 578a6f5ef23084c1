"""The supervisor beside its peers and beside the least that the machine takes: `benchmarks/run --peers`."""
