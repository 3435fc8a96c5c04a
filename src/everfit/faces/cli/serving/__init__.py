"""The commands of a server: serve, say who answers, look at traffic, give tokens."""
