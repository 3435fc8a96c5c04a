"""Versions at work: who answers a request, how versions are swapped, and what is watched over.

``arms`` and ``orders`` are all that a worker process needs; ``keeper`` is the parent of them all.
"""
