"""`utils`: the parts of it that packs import."""
