"""Everything that has to do with git: the throw-away workspace going in, and the commits coming out."""
