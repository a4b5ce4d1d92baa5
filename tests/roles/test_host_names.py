"""Host names become what browsers send, and what nobody could ask for is refused before anything is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "roles/appliance/filter_plugins"))
try:
    import host_names
finally:
    sys.path.pop(0)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("http://www.example.org/", "www.example.org"),
        ("https://WWW.Example.ORG:8443/notes/", "www.example.org"),
        ("http://www.example.org./", "www.example.org"),
        ("http://user@www.example.org/", "www.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("http://BÜCHER.example/", "xn--bcher-kva.example"),
        ("http://bu\N{COMBINING DIAERESIS}cher.example/", "xn--bcher-kva.example"),
        ("http://XN--BCHER-KVA.example/", "xn--bcher-kva.example"),
        ("http://straße.example/", "xn--strae-oqa.example"),
        ("http://βόλος.example/", "xn--nxasmm1c.example"),
        ("http://日本語。example/", "xn--wgv71a119e.example"),
        ("http://my_host/", "my_host"),
        ("http://192.0.2.1/", "192.0.2.1"),
        ("http://[2001:DB8:0:0::1]:80/", "[2001:db8::1]"),
        ("http://" + "a" * 63 + ".example/", "a" * 63 + ".example"),
    ],
)
def test_a_name_is_what_browsers_send(given: str, sent: str) -> None:
    assert host_names.appliance_host(given) == sent
    assert host_names.appliance_host_fault(given) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http:///x", "a part that is empty"),
        ("http://a..example/", "a part that is empty"),
        ("http://" + "a" * 64 + ".example/", "more than 63 letters"),
        ("http://" + ".".join(["a" * 60] * 5) + "/", "more than 253 letters"),
        ("http://" + "ü" * 60 + ".example/", "cannot ask for"),
        ("http://a b.example/", "use letters, digits"),
        ("http://a;b.example/", "use letters, digits"),
        ("http://{x}.example/", "use letters, digits"),
        ("http://*.example.org/", "use letters, digits"),
        ("http://~^.example/", "use letters, digits"),
        ("http://$host/", "use letters, digits"),
        ("http://-a.example/", "use letters, digits"),
        ("http://a-.example/", "use letters, digits"),
        ("http://b%C3%BCcher.example/", "use letters, digits"),
        ("http://xn--.example/", "use letters, digits"),
        ("http://xn--a.example/", "stands for"),
        ("http://xn--99999999.example/", "stands for"),
        ("http://bü\N{RIGHT-TO-LEFT OVERRIDE}cher.example/", "cannot ask for"),
        ("http://1.2.3/", "looks like an address"),
        ("http://300.0.2.1/", "looks like an address"),
        ("http://[::1/", "no host name that can be read"),
        ("http://[fe80::1%25eth0]/", "zone"),
    ],
)
def test_what_nobody_can_ask_for_is_said(given: str, said: str) -> None:
    assert said in host_names.appliance_host_fault(given)
    with pytest.raises(Exception, match="“") as refused:
        host_names.appliance_host(given)
    assert said in str(refused.value)


def test_without_the_package_only_names_of_other_letters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_names, "idna", None)
    assert host_names.appliance_host("http://www.example.org/") == "www.example.org"
    assert host_names.appliance_host("http://xn--bcher-kva.example/") == "xn--bcher-kva.example"
    assert "install the Python package idna" in host_names.appliance_host_fault("http://bücher.example/")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://www.example.org/comments/", "https://www.example.org"),
        ("HTTPS://BÜCHER.example:8443/c?x", "https://xn--bcher-kva.example:8443"),
    ],
)
def test_an_origin_is_one_that_a_header_can_have(given: str, origin: str) -> None:
    assert host_names.appliance_origin(given) == origin


@pytest.mark.slow
def test_they_are_refused_in_a_sentence(carry_out: Callable[..., int]) -> None:
    carry_out(
        "appliance", "validate.yml", {"Refuse a host name that no browser can request"},
        appliance_sites=[{"name": "blog", "url": "https://a b.example/"}],
        fails="the url of blog, “https://a b.example/”, has a host name with the part “a b”",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "given", "fails"),
    [
        (
            "Refuse headers that nginx sets itself",
            {"frontend_web_headers": ["Accept", "X-Forwarded-Host"]},
            "frontend_web_headers: “X-Forwarded-Host” is no header, or one by which a visitor could say who asks",
        ),
        (
            "Refuse a certificate for a host name of no site",
            {
                "frontend_tls": [{"name": "BÜCHER.example"}, {"name": "*"}, {"name": "other.example"}],
                "appliance_sites": [{"name": "blog", "url": "https://xn--bcher-kva.example/"}],
            },
            "frontend_tls has a certificate for other.example, which is the host name of no site",
        ),
        (
            "Refuse a path or a folder that nginx would misread",
            {"appliance_sites": [{"name": "blog", "url": "https://a.example/x/", "folder": "a;b/x"}]},
            "in the folder “a;b/x”",
        ),
    ],
)
def test_so_is_what_nginx_would_misread(
    carry_out: Callable[..., int], task: str, given: dict[str, Any], fails: str
) -> None:
    carry_out("frontend", "validate.yml", {task}, fails=fails, **given)
