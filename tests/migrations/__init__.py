"""The migrations: what each does, what is refused, and what stays whole whenever it is killed."""
