"""A demo of the whole appliance: a sample site and two front ends on this machine."""
