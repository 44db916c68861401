"""
What the user wrote: models of the objects, the loader, lint, and the JSON schema.

Pure data and functions on it; what manifests set in motion is in the layers above.
"""
