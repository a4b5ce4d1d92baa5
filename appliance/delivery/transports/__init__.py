"""Transports bring changes to a target. `base` has their protocol, and `factory` chooses one for each target."""
