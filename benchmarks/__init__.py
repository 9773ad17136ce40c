"""What Paddock costs, as ratios within one run of the benchmark: see docs/benchmarks.md."""
