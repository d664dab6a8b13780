"""Third-party node packs: found, imported and adapted to `NodeType`, and the modules that they expect to import.

Invariant: `shims/` is no package of ours. Its modules bear the top-level names that packs import; `shim_finder` puts
them there, in the worker only, and nothing of ours outside `shims/` imports one of them when it is itself imported.
"""
