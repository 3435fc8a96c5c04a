"""One turn of a model that serves, step by step; ``everfit.loop.tick`` strings them together."""
