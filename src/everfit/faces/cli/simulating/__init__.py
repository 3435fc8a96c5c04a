"""The command that lives through a data set: simulate."""
