"""How does a client's copy of the tasks stay right? What has changed since a revision."""
