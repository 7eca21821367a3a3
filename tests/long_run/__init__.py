"""The service at work for a long time: every answer checked, and what it takes of the machine looked at."""
