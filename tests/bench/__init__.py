"""What a request costs: a budget for the tests, micro-benchmarks, and a comparison with other servers."""
