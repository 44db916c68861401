"""Cases with the results of the original engines; ``data/README.md`` tells where they come from."""
