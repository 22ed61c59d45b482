"""How oracle nodes agree on registers, sign a report and bring it to the ledger.

Begin with `consensus.py`, which holds the rules; `observations.py` keeps what the nodes say,
`reporter.py` makes reports and brings them to the ledger. When a meter is read is in `node/`, how
messages travel in `peers/`.
"""
