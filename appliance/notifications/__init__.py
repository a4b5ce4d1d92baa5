"""Mail notifications: who gets them, their messages, and sending them over SMTP."""
