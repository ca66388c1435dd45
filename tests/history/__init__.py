"""Tests of the database that keeps the runs, and of the way into it."""
