"""An archive in a box: a loopback stand-in for MAST with invented proposals and synthetic data."""
