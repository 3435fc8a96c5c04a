"""Export as C99 source: one .c and one .h, with a Makefile for both kinds of library."""

from everfit.export.c.export import to_c

__all__ = ["to_c"]
