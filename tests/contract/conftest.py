"""Adobe's own description of its API, which is never copied into the project."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def openapi() -> Path:
    """The folder of Adobe's Swagger files: beside the corpora, or `../shared/openapi` beside the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    corpora = Path(os.environ.get("PREP_CORPORA") or checkout.parent / "shared" / "corpora")
    folder = corpora.parent / "openapi"
    if not folder.is_dir():
        pytest.skip(f"no specification at {folder}; set PREP_CORPORA to a folder beside it")
    return folder
