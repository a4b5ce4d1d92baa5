"""A publishing appliance: an editorial database becomes a static site on every web front end."""

__version__ = "0.1.0"
