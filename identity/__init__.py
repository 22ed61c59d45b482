"""Keys, did:key, strict JWS, wallets: who says what, provably. Imports nothing else of ours."""
