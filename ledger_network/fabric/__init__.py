"""Hyperledger Fabric: the consortium's network, and the ledger on top of it."""
