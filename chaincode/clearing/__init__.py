"""The order book of a slot and the run that clears it.

Begin with `order_book.py`, then `run.py`. Who trades at which price is decided in `auctions/`.
"""
