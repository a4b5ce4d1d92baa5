"""WordPress's export format, WXR: one XML file that holds a blog's posts, pages, terms and comments."""

from appliance.importing.wordpress.importer import import_file
from appliance.importing.wordpress.wxr import looks_right

__all__ = ["import_file", "looks_right"]
