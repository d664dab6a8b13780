"""Makes and measures the embedded model.

python -m nodes.embedded train       render, train the three networks, write the checkpoint (continues where it stopped)
python -m nodes.embedded evaluate    64 unseen prompts x 2 seeds through the ordinary nodes, judged by their pixels
"""

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from nodes.diffusion.checkpoints.export import sd1_state_dict
from nodes.diffusion.text.tokenizer import load_tokenizer
from nodes.embedded.evaluate import evaluate
from nodes.embedded.train_text import train_text
from nodes.embedded.train_unet import train_unet
from nodes.embedded.train_vae import train_decoder, train_vae

CHECKPOINT = Path("models/checkpoints/heddle_scenes.safetensors")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m nodes.embedded", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.set_defaults(command=_train)
    train.add_argument("--folder", type=Path, default=Path(".training"), help="where unfinished work is kept")
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument("--vae-steps", type=int, default=2400)
    train.add_argument("--text-steps", type=int, default=1200)
    train.add_argument("--unet-steps", type=int, default=5400)
    train.add_argument("--decoder-steps", type=int, default=700)
    measure = commands.add_parser("evaluate")
    measure.set_defaults(command=_evaluate)
    measure.add_argument("--sheet", type=Path, help="write a contact sheet of the pictures there")
    for command in (train, measure):
        command.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    options = parser.parse_args()
    options.command(options)


def _train(options: argparse.Namespace) -> None:
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if "RANK" in os.environ:  # started by torchrun
        dist.init_process_group("gloo")
    tokenizer = load_tokenizer()

    def tokenize(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    vae = train_vae(folder, steps=options.vae_steps, device=options.device)
    text_model = train_text(folder, tokenize, steps=options.text_steps, device=options.device)
    unet = train_unet(folder, vae, text_model, tokenize, steps=options.unet_steps, device=options.device)
    vae = train_decoder(folder, vae, steps=options.decoder_steps, device=options.device)
    if dist.is_initialized() and dist.get_rank() > 0:
        return
    tensors = sd1_state_dict(unet, vae, text_model)
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    options.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().cpu() for name, tensor in half.items()}, options.checkpoint)
    print(f"wrote {options.checkpoint}, {options.checkpoint.stat().st_size / 2**20:.1f} MiB")


def _evaluate(options: argparse.Namespace) -> None:
    print(evaluate(options.checkpoint, sheet=options.sheet))


if __name__ == "__main__":
    main()
