"""`app`: the parts of the server's inside that packs import."""
