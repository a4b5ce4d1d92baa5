"""What the script for passkeys exchanges with us: options as JSON, and the browser's answer in a field of a form."""

from __future__ import annotations

import json

from flask import Response

from appliance.accounts.passkeys import PasskeyOptions
from appliance.errors import AccountError
from appliance.web.admin.pages.forms import Form


def options_answer(options: PasskeyOptions) -> Response:
    """Answer with the options that the browser is to ask its authenticator with."""
    answer = {"options": json.loads(options.json), "challenge": options.challenge}
    return Response(json.dumps(answer), content_type="application/json")


def answer_in(form: Form) -> tuple[str, str]:
    """Return the authenticator's answer in a form, and the challenge that it is for.

    Raises:
        AccountError: there is none, as when scripts are off.
    """
    credential = form.values.get("credential", "")
    if not credential:
        raise AccountError("The browser sent no answer of a passkey. Try again, or sign in another way.")
    return credential, form.values.get("challenge", "")
