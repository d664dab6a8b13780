# ruff: noqa
"""A pack as many are written: classes gathered from all files of a folder, a route, a model folder, JavaScript."""

import glob
import importlib
import importlib.util
import os
import sys

import folder_paths
from aiohttp import web
from server import PromptServer

sys.path.append(os.path.join(os.path.dirname(__file__)))
NODE_CLASS_MAPPINGS = {}
NODE_DISPLAY_NAME_MAPPINGS = {}
folder_paths.add_model_folder_path("idiom", os.path.join(folder_paths.models_dir, "idiom"))

for file in glob.glob(os.path.join(os.path.dirname(__file__), "py", "*.py")):
    name = os.path.splitext(os.path.basename(file))[0]
    module = importlib.import_module(f".py.{name}", __name__)
    NODE_CLASS_MAPPINGS = {**NODE_CLASS_MAPPINGS, **module.NODE_CLASS_MAPPINGS}

spec = importlib.util.spec_from_file_location("idiom_more", os.path.join(os.path.dirname(__file__), "more.py"))
more = importlib.util.module_from_spec(spec)
sys.modules["idiom_more"] = more
spec.loader.exec_module(more)
NODE_CLASS_MAPPINGS.update(more.NODE_CLASS_MAPPINGS)


@PromptServer.instance.routes.get("/idiom/{name}")
async def hello(request):
    return web.json_response({"name": request.match_info["name"]})


WEB_DIRECTORY = "./js"
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
