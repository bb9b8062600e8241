"""What lies below an output root: its marker, and what stands at a path. Reads; writes only the marker."""
