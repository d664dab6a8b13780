"""Runs functions of a test module in a process where the names of packs lead to the shims, and nowhere else.

The process of the tests keeps its own modules: there, `server` is our server.
"""

import importlib.util
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def outcomes_of(module: str, folder: Path) -> dict[str, str]:
    """Function name -> the traceback of what went wrong in it, or an empty text, for each `inside_*` of a module here.

    `folder` is where the functions may write: the base of the worker's folders.
    """
    command = [sys.executable, "-c", "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"]
    told = [str(Path(__file__)), str(Path(__file__).with_name(f"{module}.py")), str(folder)]
    done = subprocess.run([*command, *told], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    outcomes: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return outcomes


def _main(module: Path, folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    # One thread that does not spin: the tests share their cores with others.
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1")
    import torch

    from executor.folders import Folders
    from nodes.diffusion.memory.device import DeviceMemory
    from nodes.packs.shim_finder import install
    from nodes.packs.surroundings import make_surroundings

    for name in ("input", "output", "temp", "user"):
        (folder / name).mkdir(exist_ok=True)
    places = (folder / name for name in ("input", "output", "temp", "user"))
    folders = Folders(*places, {"checkpoints": (ROOT / "models" / "checkpoints",)})
    memory = DeviceMemory(torch.device("cpu"), budget=1 << 32)
    install(make_surroundings(folders, {}, {"DeviceMemory": memory}))

    spec = importlib.util.spec_from_file_location(module.stem, module)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module.stem] = loaded
    spec.loader.exec_module(loaded)
    outcomes = {}
    for name, function in list(vars(loaded).items()):
        if name.startswith("inside_"):
            try:
                function()
                outcomes[name] = ""
            except Exception:  # noqa: BLE001 every failure is an outcome
                outcomes[name] = traceback.format_exc()
    print(json.dumps(outcomes))  # noqa: T201 the answer to the tests' process


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
