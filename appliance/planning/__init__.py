"""Planning: themes, archives, paths and priorities, and which artifacts a change touches."""
