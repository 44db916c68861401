"""What several triggers have in common; not components themselves."""
