"""Writing content for other systems: Movable Type's text format, Markdown folders."""
