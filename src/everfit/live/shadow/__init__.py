"""Challengers answer the same requests, off the way of the request, for the record alone."""
