"""Market mechanisms as pure functions: book in, trades and prices out."""
