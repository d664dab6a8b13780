"""The flags of the server alone, and the settings that they make. Their names are ComfyUI's."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from server.foreign_flags import add_foreign_flags
from server.settings import MEBIBYTE, ServerSettings


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Where the server listens, and what it accepts."""
    parser.add_argument(
        "--listen",
        nargs="?",
        const="0.0.0.0,::",
        default="127.0.0.1",
        help="addresses, comma-separated; alone: all of them",
    )
    parser.add_argument("--port", type=int, default=8188, help="default 8188; 0 takes a free one")
    parser.add_argument("--tls-keyfile", type=Path, metavar="FILE", help="serve HTTPS with this key")
    parser.add_argument("--tls-certfile", type=Path, metavar="FILE", help="and this certificate")
    parser.add_argument(
        "--require-token",
        action="store_true",
        help="ask for the token in the user folder's heddle.token; always so beyond this machine",
    )
    parser.add_argument("--allow-plain-http", action="store_true", help="listen beyond this machine without TLS, too")
    parser.add_argument(
        "--enable-cors-header", nargs="?", const="*", metavar="ORIGIN", help="let other sites call the API"
    )
    parser.add_argument("--max-upload-size", type=float, default=100, metavar="MIB", help="largest body of a request")
    parser.add_argument(
        "--max-queue", type=_at_least_one, default=20_000, metavar="N", help="jobs that may wait (default 20,000)"
    )
    parser.add_argument("--front-end-root", type=Path, metavar="FOLDER", help="serve another built editor")
    parser.add_argument(
        "--preview-method",
        choices=("none", "auto", "latent2rgb", "taesd"),
        default="auto",
        help="pictures of unfinished work, for jobs that do not say; none turns them off",
    )
    parser.add_argument(
        "--workers", type=_at_least_one, default=1, metavar="N", help="worker processes for each device (default 1)"
    )
    parser.add_argument(
        "--jobs-per-worker",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="jobs that a worker runs at once, of which it runs what they have in common once (default 1)",
    )
    parser.add_argument(
        "--uuid-prompt-ids", action="store_true", help="refuse a prompt_id that a client chose unless it is a UUID"
    )
    parser.add_argument("--auto-launch", action="store_true", help="open the editor in a browser")
    parser.add_argument(
        "--verbose", nargs="?", const="DEBUG", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    )
    parser.add_argument("--log-stdout", action="store_true", help="write the log to standard output")
    parser.add_argument(
        "--enable-compress-response-body", action="store_true", help="compress JSON and texts for clients that take it"
    )
    for flag in ("--disable-auto-launch", "--windows-standalone-build", "--dont-print-server", "--disable-api-nodes"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)  # launchers pass them
    add_foreign_flags(parser)


def opens_browser(options: argparse.Namespace) -> bool:
    """Whether the editor is opened in a browser once the server answers."""
    return (options.auto_launch or options.windows_standalone_build) and not options.disable_auto_launch


def settings_of(options: argparse.Namespace, *, editor: Path, version: str, argv: Sequence[str]) -> ServerSettings:
    """The settings; `editor` is the built editor that is served unless the flags name another one."""
    return ServerSettings(
        listen=tuple(address.strip() for address in options.listen.split(",")),
        port=options.port,
        editor=options.front_end_root or editor,
        max_upload_size=int(options.max_upload_size * MEBIBYTE),
        max_queue=options.max_queue,
        compress=options.enable_compress_response_body,
        cors_origin=options.enable_cors_header,
        tls_cert=options.tls_certfile,
        tls_key=options.tls_keyfile,
        require_token=options.require_token,
        plain_http=options.allow_plain_http,
        preview_method=options.preview_method,
        saves_metadata=not options.disable_metadata,
        jobs_per_worker=options.jobs_per_worker,
        uuid_prompt_ids=options.uuid_prompt_ids,
        version=version,
        argv=tuple(argv),
    )


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of them; give 1 or more")
    return int(text)
