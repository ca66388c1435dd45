"""A kept run for MLflow: told.py says what of it, sending.py has it sent, sender.py alone knows MLflow."""
