"""Chromium, and readers in it who watch what their pages do.

A reader's pages may ask their own origin only, may run no script but the theme's, and may report no fault. Who opens
them need not look: it is told when the reader leaves.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

PROGRAM = shutil.which("chromium")
#: Milliseconds until whatever a test waits for is there.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)
#: What makes a page hard or impossible to use for somebody.
GRAVE = ("serious", "critical")
_REPORT = "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Run Chromium with further options until the block ends."""
    if PROGRAM is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    # Its sandbox refuses root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*flags, "--disable-gpu", *options])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def reader(
    browser: Browser, url: str, *, script: bool = True, allowed: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """Return a page of a new reader, who has visited nothing; paths are those of the site at `url`.

    Args:
        browser: the browser.
        url: the address of a front end.
        script: whether JavaScript is on.
        allowed: what a message of the browser may contain that counts as no fault.
        options: further options of the context, such as `viewport` or `color_scheme`.

    When the block ends, it is an error if a page asked another origin, broke the policy or reported a fault.
    """
    faults: list[str] = []
    origin = urlsplit(url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"{message.text} at {message.location['url']}")

    def asked(request: Request) -> None:
        if urlsplit(request.url).netloc != origin and not request.url.startswith("data:"):
            faults.append(f"asked {request.url}")

    context = browser.new_context(base_url=url, java_script_enabled=script, **options)
    context.set_default_timeout(PATIENCE)
    try:
        context.add_init_script(_REPORT)
        context.on("request", asked)
        context.on("console", said)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        yield context.new_page()
    finally:
        context.close()
    if told := [fault for fault in faults if not any(text in fault for text in allowed)]:
        pytest.fail(f"pages did what they may not: {'; '.join(told)}")


def grave_violations(page: Page) -> list[str]:
    """Return what axe finds serious or critical on a page, one sentence each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:200]}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
