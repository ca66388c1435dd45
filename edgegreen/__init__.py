"""Deploy trained models to real boards and read accuracy, latency, memory and energy in one table."""
