"""A node pack that does everything wrong that a node can do, as authors write packs. Only for the reliability tests."""

import asyncio
import ctypes
import os
import signal
import sys
import time

ANY = "*"


class Hostile:
    """What all nodes of this pack share."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "go"
    CATEGORY = "hostile"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"way": ("STRING", {"default": ""})}}

    @classmethod
    def IS_CHANGED(cls, **_given):
        return time.time()


class HostileShow(Hostile):
    """Reads whatever comes, and shows that it did."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    def go(self, value):
        total = float(value.sum()) if hasattr(value, "sum") else str(type(value).__name__)
        return {"ui": {"text": [str(total)]}, "result": ()}


class Unprintable(Exception):
    """Cannot be said."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Outermost(BaseException):
    """Not even an Exception."""


class Broken:
    """Nothing of it works."""

    def _no(self, *_):
        raise RuntimeError("broken on purpose")

    __repr__ = __str__ = __eq__ = __hash__ = __reduce__ = __len__ = _no


def _recurse(depth=0):
    return _recurse(depth + 1)


RAISED = {
    "ValueError": lambda: ValueError("The value is wrong."),
    "StopIteration": StopIteration,
    "CancelledError": asyncio.CancelledError,
    "ExceptionGroup": lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "BaseException": lambda: Outermost("outermost"),
    "unprintable": Unprintable,
}


class HostileRaise(Hostile):
    """Raises in its function."""

    def go(self, way):
        if way == "recursion":
            _recurse()
        raise RAISED[way]()


class HostileLoop(HostileRaise):
    """Raises in a coroutine."""

    async def go(self, way):
        await asyncio.sleep(0)
        raise RAISED[way]()


class HostileValidate(HostileRaise):
    """Raises when its inputs are checked."""

    OUTPUT_NODE = True

    @classmethod
    def VALIDATE_INPUTS(cls, way):
        raise RAISED[way]()


class HostileFingerprint(HostileRaise):
    """Raises when it is asked whether it changed."""

    @classmethod
    def IS_CHANGED(cls, way):
        raise RAISED[way]()


class HostileInit(Hostile):
    """Raises before it exists, and again when it goes."""

    def __init__(self):
        raise SystemExit(4)

    def go(self, way):
        return (way,)


class HostileDel(Hostile):
    """Raises when it goes."""

    def go(self, way):
        class Going:
            def __del__(self):
                raise SystemExit(way)

        Going()
        import torch

        return (torch.zeros(1, 8, 8, 3),)


class HostileOutput(Hostile):
    """Gives back what its sockets did not promise."""

    RETURN_TYPES = ("IMAGE", "INT")

    def go(self, way):
        import torch

        picture = torch.zeros(1, 8, 8, 3)
        return {
            "nothing": None,
            "few": (picture,),
            "many": (picture, 1, 2, 3),
            "text": "ab",
            "type": ("no picture", 1),
            "number": (picture, "three"),
            "shape": (torch.zeros(8, 8), 1),
            "nan": (picture * float("nan"), 1),
            "broken": (Broken(), 1),
        }[way]


class HostileUi(Hostile):
    """Shows what JSON cannot hold."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True

    def go(self, way):
        cyclic = {}
        cyclic["self"] = cyclic
        shown = {
            "bytes": b"\xff",
            "set": {1, 2},
            "nan": float("nan"),
            "cyclic": cyclic,
            "broken": Broken(),
            "object": object(),
            "deep": _deep(5000),
        }[way]
        return {"ui": {"harm": [shown]}, "result": ()}


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


class HostileDeath(Hostile):
    """Ends its process."""

    def go(self, way):
        if way.endswith(" later"):
            way = way.removesuffix(" later")
            time.sleep(0.3)
        if way == "exit":
            os._exit(3)
        if way == "segfault":
            ctypes.string_at(0)
        if way == "abort":
            os.abort()
        os.kill(os.getpid(), signal.SIGKILL)


class HostileMutate(Hostile):
    """Writes into the picture that it was given."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "way": ("STRING", {"default": ""})}}

    def go(self, image, way):
        image.zero_()
        return (image[:1] if way == "view" else image,)


class HostileSleep(Hostile):
    """Takes its time; whether anyone wants it to stop it looks only when asked to."""

    def go(self, way):
        import torch

        if way == "loop":
            while True:
                pass
        while way == "asks":
            import comfy.model_management

            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(0.05)
        time.sleep(float(way))
        return (torch.zeros(1, 8, 8, 3),)


class Tally(Hostile):
    """Writes a line into a file each time it runs, and waits."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"file": ("STRING", {}), "line": ("STRING", {}), "seconds": ("FLOAT", {"default": 0.0})}}

    @classmethod
    def IS_CHANGED(cls, **_given):
        return ""

    def go(self, file, line, seconds):
        import torch

        with open(file, "a") as tally:
            tally.write(f"{line}\n")
        time.sleep(seconds)
        return (torch.zeros(1, 8, 8, 3),)


class HostileLog(Hostile):
    """Says far too much."""

    def go(self, way):
        import torch

        for number in range(20_000):
            print(f"line {number}", file=sys.stderr)
        sys.stderr.write("x" * 1_000_000 + "\n")
        os.write(2, bytes(range(256)) * 100 + b"\n")
        return (torch.zeros(1, 8, 8, 3),)


NODE_CLASS_MAPPINGS = {
    cls.__name__: cls
    for cls in (
        HostileShow,
        HostileRaise,
        HostileLoop,
        HostileValidate,
        HostileFingerprint,
        HostileInit,
        HostileDel,
        HostileOutput,
        HostileUi,
        HostileDeath,
        HostileMutate,
        HostileSleep,
        Tally,
        HostileLog,
    )
}


def register(routes):
    """Routes, as packs have them."""
    from aiohttp import web

    @routes.get("/hostile/echo")
    async def echo(request):
        return web.Response(text="<script>alert(1)</script>", content_type="text/html")

    @routes.post("/hostile/echo")
    async def swallow(request):
        return web.json_response({"bytes": len(await request.read())})


def _routes():
    from server import PromptServer

    return PromptServer.instance.routes


register(_routes())
