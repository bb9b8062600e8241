"""How a command talks to the daemon: a socket, JSON lines, and where to find it. Standard library only."""
