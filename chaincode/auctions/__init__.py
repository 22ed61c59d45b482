"""Market mechanisms as pure functions: each takes a book and returns trades and prices."""
