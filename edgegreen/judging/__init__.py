"""Readings side by side: budgets, baselines, other runs, what stands out. Pure; it shows nothing."""
