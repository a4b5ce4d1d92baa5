"""The public application: readers' comments, notices of replies and search, as pages that work without scripts."""

from appliance.web.public.app import create_app

__all__ = ["create_app"]
