"""A small part of the crash test; `python -m tests.crash --all` is all of it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.journal import MEMBERS, SERVICES
from tests.crash.ordeal import Death, Story, endure, make_template, workshop
from tests.crash.victims import ANY_MOMENT

_STEPS = 400
_STEPS_BETWEEN = 41


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with workshop() as folder:
        yield make_template(folder)


def _endure(template: Path, *deaths: Death, with_batch_ids: bool) -> Story:
    """Go through an ordeal and find nothing that is not as promised."""
    story = endure(template, template.parent / "run", deaths, with_batch_ids=with_batch_ids)
    assert story.complaints == [], story.kills
    assert story.after is not None
    assert (story.after.lost, story.after.twice, story.after.false_successes) == (0, 0, 0)
    return story


@pytest.mark.parametrize("step", range(7, _STEPS, _STEPS_BETWEEN))
def test_killed_at_a_step_and_again_while_recovering(template: Path, step: int) -> None:
    story = _endure(template, Death(step), Death(1 + step % 90), with_batch_ids=step % 2 == 0)

    assert story.kills


@pytest.mark.parametrize("seed", range(3))
def test_killed_by_chance(template: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    deaths = (Death(seconds=chance.uniform(0, 0.8)) for _ in range(3))

    story = _endure(template, *deaths, with_batch_ids=seed % 2 == 0)

    assert set(story.kills) <= {ANY_MOMENT}


@pytest.mark.parametrize(
    ("moment", "declared", "landed"),
    [
        ("token: the reply was read", 0, 0),
        ("upload: before anything left", 1, 0),
        ("upload: half of a block left", 1, 0),
        ("upload: the reply has come", 1, 1),
        ("upload: the reply was read", 1, 1),
        ("status: before anything left", 0, 0),
        ("failures: the reply was read", 0, 0),
        ("before rows.parquet gets its name", 0, 0),
    ],
)
def test_a_chunk_is_unknown_if_prep_dies_between_intent_and_batch_id(
    template: Path, moment: str, declared: int, landed: int
) -> None:
    story = _endure(template, Death(moment), with_batch_ids=True)

    assert moment in story.kills[0]
    assert (story.declared, story.landed) == (declared, landed)


@pytest.fixture(scope="module", params=[MEMBERS, SERVICES], ids=lambda subject: subject.name)
def other_template(request: pytest.FixtureRequest) -> Iterator[Path]:
    with workshop() as folder:
        yield make_template(folder, request.param)


@pytest.mark.parametrize("moment", ["upload: half of a block left", "upload: the reply was read"])
def test_members_and_records_are_as_safe_as_leads(other_template: Path, moment: str) -> None:
    story = _endure(other_template, Death(moment), Death(60), with_batch_ids=True)

    assert story.declared >= 1
    assert story.kills
