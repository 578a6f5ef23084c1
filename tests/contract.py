"""Where the tests find the contract: what is copied to `fixtures/contract`, and the real files beside the checkout."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""What the project shares with others. Not everybody who has a checkout has it."""
COPY = ROOT / "fixtures" / "contract"
WIRE = COPY / "wire"
ENDPOINTS = COPY / "endpoints.txt"
COPIED = {WIRE: SHARED / "contract/wire", ENDPOINTS: next((SHARED / "seeds").glob("000_*.txt"), None)}
"""`{copy: what it is a copy of}`"""

CORPUS = SHARED / "corpus"
"""Automations files of public repositories."""
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the real files are not at {CORPUS}")
ACCEPTED = sorted((CORPUS / "accepted").glob("*"))
OUR_OWN = sorted(
    path
    for folder in ("fixtures/quickstart", "fixtures/behaviours", "examples")
    for path in (ROOT / folder).rglob("*.yaml")
)
"""Files that are right, for tests that need some to begin with."""
