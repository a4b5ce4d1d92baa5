"""What a site consists of: themes, archives, paths, priorities, and which artifacts a change touches."""
