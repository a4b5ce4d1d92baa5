"""Import of WordPress's export format, WXR: one XML file with the posts, pages, terms and comments of a blog."""

from appliance.importing.wordpress.importer import import_file
from appliance.importing.wordpress.wxr import is_export

__all__ = ["import_file", "is_export"]
