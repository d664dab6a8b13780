"""Imports packs and registers what they offer. Whatever one of them does, the others are loaded, and it is reported.

Serves no routes and knows no worker.
"""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from executor.packs import PackReport
from executor.schema import NodeType
from nodes.packs.attempts import Attempts
from nodes.packs.discovery import NoPack, PackSource, import_file, run_script, source_digest
from nodes.packs.instances import Instances
from nodes.packs.reporting import frames, said, why

log = logging.getLogger(__name__)

SLOW = 10.0
"""After so many seconds of importing one pack, the log says which it is: nothing can run before it is done."""


@dataclass(slots=True)
class _Loading:
    """What became of one pack so far."""

    source: PackSource
    digest: str
    node_types: list[str] = field(default_factory=list[str])
    web_directories: dict[str, str] = field(default_factory=dict[str, str])
    errors: list[str] = field(default_factory=list[str])
    traceback: tuple[str, ...] = ()
    seconds: float = 0.0
    given_up: bool = False

    def blame(self, sentence: str, error: BaseException | None = None) -> None:
        self.errors.append(sentence)
        if error is not None and not self.traceback:
            self.traceback = frames(error, self.source)

    @contextmanager
    def timed(self) -> Iterator[None]:
        text = "Node pack %s is still being imported after %g s, and nothing can run before it is done."
        slow = threading.Timer(SLOW, log.warning, (text, self.source.name, SLOW))
        slow.daemon = True
        start = time.perf_counter()
        slow.start()
        try:
            yield
        finally:
            slow.cancel()
            self.seconds += time.perf_counter() - start

    def report(self) -> PackReport:
        return PackReport(
            name=self.source.name,
            path=str(self.source.path),
            module=self.source.module,
            node_types=tuple(self.node_types),
            seconds=self.seconds,
            error=" ".join(self.errors) or None,
            traceback=self.traceback,
            web_directories=self.web_directories or None,
        )


class PackLoader:
    """Loads the packs of one worker in two steps: their scripts, before torch is imported, and then they themselves."""

    def __init__(self, sources: Iterable[PackSource], attempts: Attempts) -> None:
        self.instances = Instances()
        self._attempts = attempts
        self._packs = [_Loading(source, source_digest(source)) for source in sources]

    def run_scripts(self) -> None:
        """Run the `prestartup_script.py` of each pack. The pack of one that fails is loaded still."""
        for pack in self._packs:
            if self._attempts.ended(pack.source, pack.digest):
                pack.given_up = True
                pack.blame(
                    "It ended the whole process each time it was imported, so it is left out until its code changes; "
                    f"empty the folder {self._attempts.folder} to try it again."
                )
                continue
            with pack.timed(), self._attempts.trying(pack.source, pack.digest):
                try:
                    run_script(pack.source)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # noqa: BLE001 - a pack's code; it must not cost the others
                    pack.blame(f"Its prestartup_script.py raised {type(error).__name__}: {said(error)}.", error)

    def load(
        self, node_types: MutableMapping[str, NodeType], told: Callable[[str, NodeType, type | None], None]
    ) -> tuple[PackReport, ...]:
        """Import the packs and add their node types to those that are known already, the built-in ones. Each is
        `told` with its name and its class, before the next pack is imported."""
        importlib.import_module("nodes.packs.offers")  # takes a while, which is no pack's fault
        for pack in self._packs:
            if pack.given_up:
                continue
            with pack.timed(), self._attempts.trying(pack.source, pack.digest):
                try:
                    self._load(pack, node_types, told)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # noqa: BLE001 - a pack's code; it must not cost the others
                    pack.blame(why(error, pack.source), None if isinstance(error, NoPack) else error)
            self._attempts.forgive(pack.source)
            for other in self._packs:
                if other is not pack:
                    other.node_types = [name for name in other.node_types if name not in pack.node_types]
        return tuple(pack.report() for pack in self._packs)

    def _load(
        self,
        pack: _Loading,
        node_types: MutableMapping[str, NodeType],
        told: Callable[[str, NodeType, type | None], None],
    ) -> None:
        from nodes.packs.offers import Known, offers, web_directories  # imports torch, which the scripts come before
        from nodes.registration import register

        source, before = pack.source, Known.now()
        module = import_file(source.import_name, source.entry, source.path if source.path.is_dir() else None)
        added = Known.now().since(before)
        pack.web_directories = web_directories(module, source, added)
        for offer in offers(module, source, pack.digest, self.instances, added):
            try:
                made = offer.make()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a pack's code; it costs this class only
                pack.blame(f"Its node {offer.class_type} was left out ({type(error).__name__}: {said(error)}).", error)
                continue
            name = made.definition.class_type
            if register(node_types, {name: made}):
                pack.blame(f"Its node {name} was left out: a built-in node is called so, and no pack can replace one.")
            else:
                pack.node_types.append(name)
                told(name, made, offer.cls)


def log_reports(reports: Iterable[PackReport]) -> None:
    """A line for each pack, and for one that is not whole the traceback of its own frames."""
    for report in reports:
        if report.error is None:
            log.info("Node pack %s: %d nodes in %.2f s", report.name, len(report.node_types), report.seconds)
        else:
            text = "\n".join(("", *report.traceback)).rstrip()
            log.warning("Node pack %s (%s): %s%s", report.name, report.path, report.error, text)
