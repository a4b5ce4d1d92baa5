"""Answers to forms that are refused: the page with the form again, and the reason on it."""

from __future__ import annotations

import math
from typing import Any

from flask import Response

from appliance.errors import AccountError, SignInRefused
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page


def refused(template: str, form: Form, error: AccountError, field: str = "", **context: Any) -> Response:
    """Answer with the page of a form again, and the reason, at a field or above all of them."""
    form.refuse(field, str(error))
    wait = error.wait if isinstance(error, SignInRefused) else 0
    response = page(template, 429 if wait else 422, form=form, **context)
    if wait:
        response.headers["Retry-After"] = str(math.ceil(wait))
    return response
