"""What a worker tells of itself: counters for Prometheus, lines of access, traces."""
