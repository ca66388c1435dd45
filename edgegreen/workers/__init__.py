"""Processes for the heavy libraries: a crash, a leak or chatter of a converter stays in its process."""
