"""Mail to people: what is said, to whom, and how it reaches an SMTP server."""
