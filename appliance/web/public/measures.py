"""What is measured of the requests of the public application."""

from __future__ import annotations

from typing import Final

from appliance.web.measures import Measures

MEASURES: Final = Measures("appliance_web")
