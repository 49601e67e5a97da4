"""A run on many machines: which worker does what, what becomes of the jobs of a worker that ends, and Ray."""
