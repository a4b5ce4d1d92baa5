"""The web process: Flask under gunicorn, which passes what readers send to the intake."""
