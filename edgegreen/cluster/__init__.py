"""Building on the workers of a Dask cluster: driver.py orders, shipping.py packs, task.py makes."""
