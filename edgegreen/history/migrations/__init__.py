"""How the tables of a history came to be, step by step; alembic takes the steps that one lacks."""
