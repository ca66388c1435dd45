"""What a run shows: terminal table and JSON."""
