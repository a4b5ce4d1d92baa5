"""The settings: one TOML file, read whole, checked whole, before anything is touched.

Guarantees that a wrong file is refused with every fault at once, each naming file, key and mend. Nothing else
in the appliance reads settings or the environment. The reference page is made from the descriptions here.
"""

from appliance.config.file import SYSTEM_FILE, check, find, load
from appliance.config.sections import (
    FILE_NAME,
    Config,
    DeletionSettings,
    DeliverySettings,
    QueueSettings,
    SiteSettings,
    TargetSettings,
)
from appliance.config.services import CacheSettings, MailSettings, ScheduleSettings
from appliance.config.sources import SourceSettings

__all__ = [
    "FILE_NAME",
    "SYSTEM_FILE",
    "CacheSettings",
    "Config",
    "DeletionSettings",
    "DeliverySettings",
    "MailSettings",
    "QueueSettings",
    "ScheduleSettings",
    "SiteSettings",
    "SourceSettings",
    "TargetSettings",
    "check",
    "find",
    "load",
]
