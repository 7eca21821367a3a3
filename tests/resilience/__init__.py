"""It withstands: bad input, attacks, races."""
