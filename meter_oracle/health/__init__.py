"""How meters and nodes are: what a node finds, signs and sends on for the API to show.

Begin with `board.py`, which keeps the states; `teller.py` signs them, `api_client.py` brings them to an
API. What is found, and when, is in `node/` and `agreement/`.
"""
