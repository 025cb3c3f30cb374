import subprocess
import sys
from pathlib import Path


def test_the_bill_knows_every_stage_and_adds_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.bill", "--rows", "2000", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, *stages, whole = (line.rsplit(maxsplit=3) for line in done.stdout.splitlines())
    assert header[0] == "stage"
    assert whole[0] == "all"
    assert abs(sum(float(seconds) for _, seconds, _, _ in stages) - float(whole[1])) < 0.01 * len(stages)
