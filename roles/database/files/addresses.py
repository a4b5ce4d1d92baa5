"""Addresses as pg_hba.conf has them: networks as they are, names by all the addresses this host finds for them."""

import ipaddress
import socket
import sys

found = set()
for name in sys.argv[1:]:
    try:
        found.add(ipaddress.ip_network(name, strict=False))
    except ValueError:
        try:
            found |= {ipaddress.ip_network(entry[4][0].partition("%")[0]) for entry in socket.getaddrinfo(name, None)}
        except OSError:
            sys.exit(f"“{name}” is no address, and no name that has one here")
print("\n".join(str(network) for network in sorted(found, key=lambda network: (network.version, network))))
