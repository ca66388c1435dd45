"""What was built on this host, by content: found again, kept within bounds, shared with other people."""
