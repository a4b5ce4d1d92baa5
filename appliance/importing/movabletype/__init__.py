"""Import of Movable Type's text format, as Movable Type and the services that share it write it.

    file ─► blocks ─► entries with comments and pings ─► saved, batch by batch

The format is described at https://www.movabletype.org/documentation/appendices/import-export-format.html.
"""

from appliance.importing.movabletype.encodings import is_export
from appliance.importing.movabletype.importer import import_file

__all__ = ["import_file", "is_export"]
