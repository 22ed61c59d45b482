"""Keys, did:key, strict JWS and wallets. This package imports no other package of the project."""
