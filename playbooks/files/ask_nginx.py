"""Asks the nginx of this host for a page by the name of a site, and prints the status of its answer.

usage: ask_nginx.py http|https PORT NAME PATH
"""

import http.client
import socket
import ssl
import sys

scheme, port, name, path = sys.argv[1:]
try:
    connection = http.client.HTTPConnection(name)
    connection.sock = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
    if scheme == "https":
        # Whether the certificate is right is for browsers to say; without the name nginx shows none.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
    connection.request("GET", path, headers={"Host": name})
    print(connection.getresponse().status)
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"{error}")
