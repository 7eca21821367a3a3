"""Input that no client of good will sends, in bodies, in titles and on the wire."""
