"""The health of meters and nodes, as a node finds it, signs it and sends it to the API.

Begin with `board.py`, which keeps the states; `teller.py` signs them, `api_client.py` brings them to an
API. What is found, and when, is in `node/` and `agreement/`.
"""
