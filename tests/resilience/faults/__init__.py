"""Databases, disks and processes that fail or end while clients write."""
