"""The journal of publications and the couriers that bring every target up to it."""
