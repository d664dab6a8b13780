"""The routes, one module a noun. Each handler's docstring is its documentation, first line first.

Handlers parse the request, call one thing and answer; a handler that touches files runs in a thread (`threaded`).
"""
