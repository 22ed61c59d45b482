"""Meters, validation, consensus of oracle nodes, reports."""
