"""Chaincode as a service for Fabric peers; knows nothing of energy."""
