"""Keeps a local copy of the JWST data an instrument team cares about complete and current."""

__version__ = "0.1.0"
