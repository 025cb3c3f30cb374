"""The command line: parses, calls one public function, prints, returns an exit code."""

from prep.cli.main import main

__all__ = ["main"]
