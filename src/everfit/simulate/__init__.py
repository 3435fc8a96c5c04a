"""A year in a minute: a data set replayed in time order through the real loop."""
