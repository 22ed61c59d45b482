"""The port `Ledger` on a Fabric network, and the contract as Fabric's chaincode.

Begin with `engine.py` (what callers see) and `contract_service.py` (what a peer sees). The client underneath is
`gateway/`.
"""
