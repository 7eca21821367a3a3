"""The secrets that the tests know."""

SECRET = "a secret that only the tests know, 0123456789"
PASSWORD = "correct horse battery"  # that of almost every account of the tests
