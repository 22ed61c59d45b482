"""Our client of the Gateway service of a Fabric peer: everything a member does on a channel.

The client is independent: besides the standard library it needs gRPC, Fabric's protos, cryptography
and msgspec, and nothing else of this project.
"""
