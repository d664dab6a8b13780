"""Every row of the page about threats names cases, and every case that it names exists."""

import re

from tests.reliability.stand import ROOT

ID = re.compile(r"\b(?:BI|FM|NA|CR|LB|RE|CN)-\d\d\b")
SUITE = ROOT / "tests" / "reliability"


def test_every_threat_names_cases_that_exist() -> None:
    page = (ROOT / "server" / "THREATS.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|") and not line.startswith(("| | threat", "| ---"))]
    assert len(rows) > 30
    known = {
        found
        for file in SUITE.glob("test_*.py")
        if file.name != "test_threats.py"
        for found in re.findall(r"(?:\(\s*\"|test_)((?:BI|FM|NA|CR|LB|RE|CN)[-_]\d\d)", file.read_text(), re.IGNORECASE)
    }
    known = {found.upper().replace("_", "-") for found in known}
    for row in rows:
        named = ID.findall(row.rsplit("|", 2)[1])
        assert named, row
        assert set(named) <= known, (row, set(named) - known)


def test_the_page_has_every_letter_of_stride() -> None:
    page = (ROOT / "server" / "THREATS.md").read_text()
    for word in ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial", "Elevation"):
        assert f"**{word}" in page, word
