"""The intake: takes what readers send from the web process, checks and saves it, and answers.

The web process has no database. It sends messages over a Unix socket, and the intake, a part of `work` under the
publishing account, answers each. `messages` and `client` are all that the web process knows of it.
"""
