"""What commands do, wherever: on this host, or by the API of an installation elsewhere.

A command opens the verbs of its kind of thing, and calls them with the name of a site in place of settings. A protocol
says which verbs there are. On this host they are the functions of the rooms; elsewhere those of `api_client`. A module
for each kind imports only what that kind needs, so that commands start fast.
"""
