"""Alerts: what a person should know, said once, kept up to date, and resolved."""
