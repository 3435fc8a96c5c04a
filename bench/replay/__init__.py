"""Streams lived through by the real loop, beside refitting by the clock and never refitting."""
