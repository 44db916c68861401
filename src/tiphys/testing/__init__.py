"""Public test tools: contracts that components inherit, a virtual clock, a bus in memory."""
