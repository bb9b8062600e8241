"""What the program decides, without doing it: standard library only, no I/O, no clock."""
