"""Attempts to get at what belongs to others, and what leaks."""
