"""Commands about the loop that runs itself: up, tick, check, pause, resume."""
