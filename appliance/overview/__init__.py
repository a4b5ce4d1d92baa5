"""The state of an installation at one look: whether all is well, what waits and what failed, and how fast it goes.

Guarantees that the page in the browser and the command in the terminal tell the same, and that nobody is told of a site
on which they have no role.
"""
