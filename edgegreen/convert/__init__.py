"""Build variants of a model."""
