"""What reading a body is made of: the fields of its class, and the one pass that most bodies need."""
