"""Services of vendors, as far as the triggers use them, from their public documentation."""
