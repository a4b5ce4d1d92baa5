"""Checks whether targets, and the rsync of this host, are set up right, and says how to correct what is not."""
