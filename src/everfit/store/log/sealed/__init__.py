"""Sealed files: what has left the tables, in Parquet that anybody can read."""
