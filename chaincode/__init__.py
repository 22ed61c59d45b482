"""The contract. It is deterministic: it uses only integers and has no input, output or clock."""
