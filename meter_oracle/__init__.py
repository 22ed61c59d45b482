"""Oracle nodes: they read meters, agree on the registers, sign reports and bring them to the ledger.

Each room is a step of the way, and imports only from rooms further up in this list:

- `families/`: which registers a meter family has, as data
- `drivers/`: how a protocol is read; one file or room per protocol, with the steps to add one
- `readings/`: whether a reading can be right, and the registers at a slot's boundary
- `peers/`: messages between nodes and to the ledger gateway, over mutual TLS
- `health/`: how meters and nodes are, as the node tells others
- `agreement/`: observations of all nodes, the median, signatures, the report
- `control/`: limits for sellers' devices
- `node/`: one node, put together and run
- `simulated/`: meters for demonstrations and tests, on real Modbus/TCP

Modules outside the rooms serve all of them: `faults.py` (everything that can be wrong with a meter),
`schedule.py` (who does what when), `settings.py` (the file of a node). Begin with `node/oracle_node.py`.
"""
