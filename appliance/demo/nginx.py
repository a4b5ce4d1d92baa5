"""The nginx settings of a front end on this machine, with the rules that the role `frontend` has.

nginx alone tells the web process who sends a request and through which front end. A reader's own words about that never
pass, so nobody can pretend to be another address or a trusted front end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The headers of every answer, as the role `frontend` sets them.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' https: data:; media-src 'self' https:; frame-src 'self' https:;"
        " style-src 'self'; style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'self';"
        " frame-ancestors 'self'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: The headers of a reader's request that the web process gets.
PASSED: Final = (
    "Accept",
    "Accept-Language",
    "Content-Type",
    "If-Modified-Since",
    "If-None-Match",
    "Origin",
    "Referer",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-User",
    "User-Agent",
    "X-Requested-With",
)


@dataclass(frozen=True)
class Upstream:
    """What a front end passes to the web process, and where that listens."""

    #: The setting `path` of [web], such as `/-/`.
    path: str
    #: The setting `listen` of [web]: `unix:` and an absolute path, or an address and a port.
    address: str
    #: The most bytes of a request's body.
    body: int = 65_536


def nginx_config(
    folder: Path, docroot: Path, address: str, port: int, name: str = "", upstream: Upstream | None = None
) -> str:
    """Return the settings of an nginx that serves `docroot`, and passes on what `upstream` says as front end `name`."""
    temporary = "".join(
        f'    {kind}_temp_path "{folder}/nginx-temp";\n'
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    types = Path("/etc/nginx/mime.types")
    included = f"    include {types};\n" if types.exists() else "    types { text/html html; text/css css; }\n"
    # The account nobody could not read root's folders.
    user = "user root;\n" if os.getuid() == 0 else ""
    server = f'    upstream web {{ server "{upstream.address}" max_fails=0; }}\n' if upstream else ""
    return (
        f"{user}daemon off;\nworker_processes 1;\n"
        f'pid "{folder}/nginx.pid";\nerror_log stderr warn;\n'
        "events { worker_connections 2048; }\n"
        "http {\n"
        f"{included}{temporary}{server}"
        "    default_type application/octet-stream;\n"
        "    charset utf-8;\n"
        "    charset_types text/css text/plain text/xml application/javascript application/atom+xml "
        "application/xml application/json;\n"
        "    access_log off;\n    server_tokens off;\n    sendfile on;\n"
        # Against DNS rebinding: a page under another host name that points a browser here gets nothing.
        f"    server {{ listen {address}:{port} default_server; return 421; }}\n"
        "    server {\n"
        f"        listen {address}:{port};\n"
        f"        server_name {address} localhost;\n"
        f'        root "{docroot}";\n'
        "        index index.html;\n"
        "        autoindex off;\n"
        "        absolute_redirect off;\n"
        "        client_max_body_size 1k;\n"
        "        disable_symlinks on from=$document_root;\n"
        f"{_headers(HEADERS)}"
        "        error_page 403 404 =404 /404.html;\n"
        "        location = /404.html { internal; }\n"
        r"        location ~ /\. { return 404; }" + "\n"
        f"{_location(upstream, name) if upstream else ''}"
        "    }\n}\n"
    )


def _headers(headers: dict[str, str]) -> str:
    return "".join(f'        add_header {name} "{value}" always;\n' for name, value in headers.items())


def _location(upstream: Upstream, name: str) -> str:
    # The web process has a policy for its own pages.
    own = {key: value for key, value in HEADERS.items() if key != "Content-Security-Policy"}
    passed = {header: f"$http_{header.lower().replace('-', '_')}" for header in PASSED}
    said = {
        "Connection": '""',
        "Host": "$host:$server_port",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Host": "$host:$server_port",
        "X-Forwarded-Port": "$server_port",
        "X-Forwarded-Proto": "$scheme",
        "X-Appliance-Front-End": f'"{name}"',
    }
    return (
        f"        location ^~ {upstream.path} {{\n"
        "        if ($request_method !~ ^(GET|HEAD|POST)$) { return 405; }\n"
        "        proxy_pass http://web;\n"
        "        proxy_http_version 1.1;\n"
        "        proxy_pass_request_headers off;\n"
        + "".join(f"        proxy_set_header {header} {value};\n" for header, value in {**passed, **said}.items())
        + "".join(f"        proxy_hide_header {header};\n" for header in own)
        + _headers(own)
        + f"        client_max_body_size {upstream.body};\n"
        "        proxy_connect_timeout 1s;\n"
        "        proxy_read_timeout 30s;\n"
        "        proxy_redirect off;\n"
        "        }\n"
    )
