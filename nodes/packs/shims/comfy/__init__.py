"""`comfy`: the library that packs know, over ours. Importing it loads nothing."""
