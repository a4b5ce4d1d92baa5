"""The JSON API under /api/v1: operations, each declared once, from which its routes, checks and documents are made."""
