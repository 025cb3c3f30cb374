"""The memory that a command holds from its first moment to its last, and a picture of it."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from benchmarks.measure import CommandFailedError, user_environment

PICTURE: Final = Path(__file__).parents[1] / "docs" / "pictures" / "memory.svg"

_EVERY_SECONDS: Final = 0.02
_FINISHED: Final = (0, 3)

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 320, 64, 24, 16, 56
_POINTS: Final = 180
"""How many points of a curve are drawn; each shows the most that was held since the one before."""

_COLOURS: Final = ("#0969da", "#bc4c00")

_STYLE: Final = (
    "<style>text{font:12px sans-serif;fill:#57606a}path{fill:none;stroke-width:1.5}line{stroke:#d0d7de}"
    "@media(prefers-color-scheme:dark){rect{fill:#0d1117}text{fill:#8b949e}line{stroke:#30363d}}</style>"
)

Curve = Sequence[tuple[float, int]]
"""Seconds since the start, and bytes of resident memory then."""


def watch(command: Sequence[str]) -> Curve:
    """Run a command to its end and look at its memory fifty times a second (Linux only).

    Raises:
        CommandFailedError: It failed.
    """
    samples: list[tuple[float, int]] = []
    begin = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=user_environment()
    ) as process:
        while process.poll() is None:
            if held := _resident_bytes(process.pid):
                samples.append((time.perf_counter() - begin, held))
            time.sleep(_EVERY_SECONDS)
    if process.returncode not in _FINISHED:
        raise CommandFailedError(f"{' '.join(command)}: exit code {process.returncode}")
    return samples


def _resident_bytes(pid: int) -> int:
    """What the process holds; 0 once it has ended.

    https://www.kernel.org/doc/html/latest/filesystems/proc.html#id10 (VmRSS)
    """
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    held = next((line for line in lines if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(held.split()[1]) * 1024


def draw(curves: Mapping[str, Curve]) -> str:
    """Draw curves as SVG: across, the share of each run's time; upwards, megabytes."""
    most = max(held for curve in curves.values() for _, held in curve) / 1e6
    step = next(step for step in (10, 50, 100, 200, 500, 1000, 10_000) if most <= 6 * step)
    top = step * int(most // step + 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Memory of prep clean over the time of a run</title>",
        _STYLE,
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for megabytes in range(0, top + 1, step):
        y = _y(megabytes / top)
        lines += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{megabytes:,} MB</text>',
        ]
    for share, anchor in ((0, "middle"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")):
        x = _x(share / 100)
        lines.append(f'<text x="{x:.1f}" y="{_y(0) + 18:.1f}" text-anchor="{anchor}">{share} %</text>')
    for place, ((name, curve), colour) in enumerate(zip(curves.items(), _COLOURS, strict=False)):
        seconds = curve[-1][0]
        points = " ".join(f"{_x(x):.1f},{_y(held / 1e6 / top):.1f}" for x, held in _thinned(curve))
        x, y = _LEFT + 300 * place, _HEIGHT - 12
        lines += [
            f'<path stroke="{colour}" d="M{points}"/>',
            f'<path stroke="{colour}" d="M{x},{y - 4} {x + 24},{y - 4}"/>',
            f'<text x="{x + 32}" y="{y}">{name}, {seconds:.0f} s</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _thinned(curve: Curve) -> list[tuple[float, int]]:
    """So many points, by share of the time, each with the most that was held around it."""
    seconds = curve[-1][0]
    groups = groupby(curve, lambda sample: round(sample[0] / seconds * _POINTS))
    return [(number / _POINTS, max(held for _, held in samples)) for number, samples in groups]
