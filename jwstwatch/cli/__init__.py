"""The commands, one file each, all thin."""
