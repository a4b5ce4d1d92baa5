"""Tools for developing the appliance: its checks, lock files, reference pages and test hosts.

They need a checkout and are not part of the wheel. `./inv` and the root's `tasks.py` add their commands to those of the
appliance.
"""
