"""`comfy_execution`: the parts of the engine that nodes themselves use. Importing it loads nothing."""
