"""What several event sources have in common; nothing here is a component."""
