"""A site in Movable Type's text format, for Movable Type and for whatever else reads it."""

from appliance.exporting.movabletype.exporter import Counts, export

__all__ = ["Counts", "export"]
