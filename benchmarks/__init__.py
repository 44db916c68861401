"""Benchmarks: ``make bench`` prints their tables.  Numbers count as ratios within one run."""
