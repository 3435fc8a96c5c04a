"""Maintain: what now? Health and history in, one action out."""
