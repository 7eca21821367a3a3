"""A trial of an upgrade: the former version as a program, users at work, and what they met."""
