"""The wire shapes of ComfyUI's protocol, and the only place that knows them: everything here is a pure translation.

`prompts` reads what clients post and writes refusals, `object_info` describes nodes, `messages` tells runs in `frames`,
`records` shows jobs. Nothing here touches a socket, a file or the store.
"""
