"""A generic queue that folds requests: it knows kinds, keys and attempts, and nothing of publishing."""
