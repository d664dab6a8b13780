"""Heddle's server process: HTTP and WebSocket outside, a worker inside, a durable job store between them.

It is the only package that knows aiohttp and the wire messages. Invariant: it imports neither torch nor `nodes`, so
that it answers within two seconds of its start and survives whatever a node does to the worker process.
"""
