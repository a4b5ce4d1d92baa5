"""The client of the API: what the commands do on a publishing host, asked for from anywhere else.

For each kind of thing there is a class with the verbs that commands use. They have the arguments and the results of the
functions that a command calls on a publishing host, and raise the same sentences, so the command prints the same.

Guarantees that a token is sent only to the address that was given, over TLS that is verified, and that a request which
is sent again after a broken connection is carried out once.
"""
