"""How meters and nodes are, in words that a node signs and the API shows.

Begin with `board.py`.
"""
