"""What runs the engine: the standalone supervisor, secrets, reload."""
