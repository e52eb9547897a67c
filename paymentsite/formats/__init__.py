"""How times are written for people: the same for everybody, to the second, in UTC."""
