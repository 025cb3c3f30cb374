"""Other people's files, which are never committed."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the corpora: $PREP_CORPORA, or `../shared/corpora` beside the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("PREP_CORPORA") or checkout.parent / "shared" / "corpora")
    if not folder.is_dir():
        pytest.skip(f"no corpora at {folder}; set PREP_CORPORA")
    return folder
