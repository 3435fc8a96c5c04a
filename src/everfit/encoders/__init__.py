"""Columns to vectors: feature plans that are data, executed over a table or over one row."""
