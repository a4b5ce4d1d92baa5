"""A sample site and two front ends on this machine, to see the whole appliance work."""
