"""One artifact to bytes to an atomic file: loading in batches, Jinja2, thumbnails."""
