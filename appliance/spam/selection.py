"""Chooses the spam check of a site by its settings."""

from __future__ import annotations

from appliance.config.web import CommentSettings
from appliance.spam.akismet import Akismet
from appliance.spam.base import Candidate, Opinion, SpamCheck
from appliance.spam.local import LocalRules


class NoCheck:
    """Takes every comment for ham."""

    is_remote = False

    def judge(self, _candidate: Candidate) -> Opinion:
        """Say ham."""
        return Opinion("ham")

    def report(self, _candidate: Candidate, *, is_spam: bool) -> None:
        """Learn nothing."""


def spam_check(settings: CommentSettings) -> SpamCheck:
    """The spam check that the settings of a site choose."""
    if settings.spam_check == "akismet" and settings.akismet_key_file is not None:
        return Akismet(settings.akismet_url, settings.akismet_key_file)
    return LocalRules() if settings.spam_check == "local" else NoCheck()
