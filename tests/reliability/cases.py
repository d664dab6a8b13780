"""A table of cases: each has the id of the acceptance suite, a sentence, and a body that drives a real server.

`run_case` runs one with the standing assertions after it. It knows no case.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from tests.reliability.stand import Stand
from tests.reliability.standing import before, check_standing

Body = Callable[[Stand], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the suite."""

    id: str
    claim: str
    body: Body
    restarts: bool = False
    """It stops and starts the server."""
    allowed: Collection[int] = ()
    """Server errors that its text asks for."""
    known: str | None = None
    """Why it fails today."""
    skip: str | None = None
    """Why it cannot run here."""
    nightly: bool = False

    def param(self) -> object:
        """The case for `parametrize`."""
        marks: list[pytest.MarkDecorator] = []
        if self.skip is not None:
            marks.append(pytest.mark.skip(reason=f"{self.id}: {self.skip}"))
        if self.known is not None:
            # A broken standing assertion is no AssertionError, so it is seen even while the case itself is expected
            # to fail.
            marks.append(pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"{self.id}: {self.known}"))
        if self.nightly:
            marks.append(pytest.mark.nightly)
        return pytest.param(self, id=f"{self.id} {self.claim}", marks=marks)


@dataclass
class Table:
    """The cases of one group."""

    cases: list[Case] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """Id (and claim, where only one part fails) -> why it fails today."""

    def __call__(
        self,
        case_id: str,
        claim: str,
        *,
        restarts: bool = False,
        allowed: Collection[int] = (),
        skip: str | None = None,
        nightly: bool = False,
    ) -> Callable[[Body], Body]:
        """Add the function as a case."""

        def add(body: Body) -> Body:
            known = self.known.get(f"{case_id} {claim}")
            self.cases.append(Case(case_id, claim, body, restarts, allowed, known, skip, nightly))
            return body

        return add

    def params(self) -> list[object]:
        """All cases for `parametrize`."""
        unknown = self.known.keys() - {f"{case.id} {case.claim}" for case in self.cases}
        assert not unknown, f"KNOWN names cases that do not exist: {unknown}"
        return [case.param() for case in self.cases]


def run_case(case: Case, stand: Stand) -> None:
    """The case, and what must hold after it whether it held or not."""
    was = before(stand)
    try:
        case.body(stand)
    finally:
        check_standing(stand, was, restarts=case.restarts, allowed=case.allowed)
