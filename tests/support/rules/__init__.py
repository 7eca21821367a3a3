"""Rules over statements and over the schema, which tests hold them to."""
