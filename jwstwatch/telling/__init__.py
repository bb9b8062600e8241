"""Who hears what happened: commands (hooks), messages, a heartbeat, Prometheus."""
