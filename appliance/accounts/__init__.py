"""Users with their roles, sessions and tokens, and which of their actions are allowed."""
