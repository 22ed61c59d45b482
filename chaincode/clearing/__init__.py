"""The order book of a slot and the run that clears it.

Begin with `order_book.py`, then `run.py`. `auctions/` decides who trades at which price.
"""
