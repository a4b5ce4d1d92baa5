"""Settings: one TOML file, validated as a whole before anything else happens.

An invalid file is rejected with all its errors at once, each with the key and a correction. No other room reads
settings or environment variables. The reference page is generated from the descriptions here.
"""

from appliance.config.admin import AdminSettings
from appliance.config.file import SYSTEM_FILE, find, load, validate
from appliance.config.sections import FILE_NAME, Config, DeletionSettings, QueueSettings, SiteSettings
from appliance.config.services import CacheSettings, MailSettings, ScheduleSettings
from appliance.config.sources import SourceSettings
from appliance.config.targets import DeliverySettings, TargetSettings
from appliance.config.web import CommentSettings, WebSettings
from appliance.config.web_file import admin_of, find_web, load_web, web_of
from appliance.config.webhooks import WebhookSettings

__all__ = [
    "FILE_NAME",
    "SYSTEM_FILE",
    "AdminSettings",
    "CacheSettings",
    "CommentSettings",
    "Config",
    "DeletionSettings",
    "DeliverySettings",
    "MailSettings",
    "QueueSettings",
    "ScheduleSettings",
    "SiteSettings",
    "SourceSettings",
    "TargetSettings",
    "WebSettings",
    "WebhookSettings",
    "admin_of",
    "find",
    "find_web",
    "load",
    "load_web",
    "validate",
    "web_of",
]
