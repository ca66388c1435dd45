"""The YAML that users write: read, checked, told in words; the keys of recipes and targets."""
