"""Asks the web process of this host for a path over its Unix socket, and prints the status of its answer.

usage: ask_web.py SOCKET PATH
"""

import http.client
import socket
import sys

where, path = sys.argv[1:]
try:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(15)
    connection.sock.connect(where)
    connection.request("GET", path)
    print(connection.getresponse().status)
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"{error}")
