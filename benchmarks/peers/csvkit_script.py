"""csvkit: csvclean, csvgrep for each rule, csvsql for the rest, in one pipe."""

import subprocess
import sysconfig
from pathlib import Path

from benchmarks.peers.job import (
    ADDRESS_PATTERN,
    BIRTH,
    EMAIL,
    EMPLOYEES,
    MOST_CHARACTERS,
    TEXTS,
    answer,
    arguments,
)

DAY = r"^\s*$|^\s*\d{4}-(02-[012]\d|(0[469]|11)-([012]\d|30)|(0[13578]|1[02])-([012]\d|3[01]))\s*$"


def main() -> None:
    """Run the pipe, then ask `csvstat` how many rows came through."""
    source, folder = arguments()
    valid, kept = folder / "valid.csv", folder / "leads.csv"
    with (folder / "errors.csv").open("wb") as errors, valid.open("wb") as target:
        first = [tool("csvclean"), "--length-mismatch", "--omit-error-rows", str(source)]
        stages = [subprocess.Popen(first, stdout=subprocess.PIPE, stderr=errors)]
        rules = [(EMAIL, ADDRESS_PATTERN), (EMPLOYEES, r"^\s*([+-]?\d+)?\s*$"), (BIRTH, DAY)]
        rules += [(name, rf"^.{{0,{MOST_CHARACTERS}}}$") for name in TEXTS]
        for number, (column, pattern) in enumerate(rules, 1):
            command = [tool("csvgrep"), "-c", column, "-r", pattern]
            out = target if number == len(rules) else subprocess.PIPE
            stages.append(subprocess.Popen(command, stdin=stages[-1].stdout, stdout=out))
        for stage in stages:
            stage.wait()
    columns = ", ".join(f'trim("{name}") AS "{name}"' for name in (*TEXTS[1:], EMPLOYEES, BIRTH))
    query = (
        f'SELECT lower(trim("{EMAIL}")) AS "{EMAIL}", {columns} FROM valid '
        f'WHERE rowid IN (SELECT max(rowid) FROM valid GROUP BY lower(trim("{EMAIL}")))'
    )
    with kept.open("wb") as target:
        command = [tool("csvsql"), "--no-inference", "--blanks", "--query", query, str(valid)]
        subprocess.run(command, stdout=target, check=True)
    answer(valid=rows(valid), kept=rows(kept))


def tool(name: str) -> str:
    """A command of the environment that runs this script."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def rows(path: Path) -> int:
    """Lines below the header; no cell of ours holds a line end."""
    with path.open("rb") as file:
        return sum(1 for _ in file) - 1


if __name__ == "__main__":
    main()
