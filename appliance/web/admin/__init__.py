"""The admin application: signing in, the dashboard and the JSON API, on publishing hosts under a name of its own.

Guarantees that no route answers which does not say by the table of rights who may use it, and that nothing of a theme
is rendered and no file built inside a request.
"""
