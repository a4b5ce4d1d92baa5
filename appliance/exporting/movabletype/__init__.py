"""Exporting a site in Movable Type's text format."""

from appliance.exporting.movabletype.exporter import ExportCounts, export

__all__ = ["ExportCounts", "export"]
