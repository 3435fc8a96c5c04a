"""Ask a model for lists of items on the command line."""
