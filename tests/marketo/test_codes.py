"""The table of codes is whole, and says what the rest relies on."""

from datetime import UTC, datetime

import pytest

from prep.marketo import codes
from prep.marketo.codes import TABLE, Action, Level

_NAMED = [600, 601, 602, 603, 604, 605, 606, 607, 608, 609, 610, 611, 612, 613, 614, 615, 616]


def test_every_row_is_found_by_its_number_and_no_number_stands_twice() -> None:
    for row in TABLE:
        assert row is (codes.http(row.code) if row.level is Level.HTTP else codes.marketo(row.code))


def test_every_row_has_a_meaning_and_a_source() -> None:
    assert all(row.meaning and row.source.startswith("https://") for row in TABLE)
    assert all(codes.marketo(number) in TABLE for number in _NAMED)


@pytest.mark.parametrize("number", [603, 610, 1003, 1006, 1013, 1016, 1019])
def test_a_code_that_a_person_can_mend_says_how(number: int) -> None:
    assert codes.marketo(number).hint


@pytest.mark.parametrize(
    ("number", "action", "import_action"),
    [
        (601, Action.NEW_TOKEN, Action.NEW_TOKEN),
        (602, Action.NEW_TOKEN, Action.NEW_TOKEN),
        (606, Action.RETRY, Action.RETRY),
        (607, Action.STOP, Action.STOP),
        (698, Action.RETRY, Action.RETRY),
        (798, Action.STOP, Action.STOP),
        (1016, Action.WAIT, Action.WAIT),
        (1019, Action.WAIT, Action.WAIT),
        (1098, Action.STOP, Action.STOP),
        (502, Action.RETRY, Action.UNKNOWN),
        (42, Action.STOP, Action.STOP),
    ],
)
def test_codes_of_the_body(number: int, action: Action, import_action: Action) -> None:
    row = codes.marketo(number)

    assert (row.action_for(importing=False), row.action_for(importing=True)) == (action, import_action)


@pytest.mark.parametrize(
    ("status", "action", "import_action"),
    [
        (202, Action.STOP, Action.UNKNOWN),
        (302, Action.STOP, Action.UNKNOWN),
        (308, Action.STOP, Action.STOP),
        (401, Action.STOP, Action.STOP),
        (413, Action.STOP, Action.STOP),
        (429, Action.RETRY, Action.RETRY),
        (451, Action.STOP, Action.STOP),
        (502, Action.RETRY, Action.UNKNOWN),
        (599, Action.RETRY, Action.UNKNOWN),
        (999, Action.STOP, Action.UNKNOWN),
    ],
)
def test_http_statuses(status: int, action: Action, import_action: Action) -> None:
    row = codes.http(status)

    assert (row.action_for(importing=False), row.action_for(importing=True)) == (action, import_action)


@pytest.mark.parametrize(
    ("moment", "reset"),
    [
        (datetime(2026, 7, 1, 4, 59, tzinfo=UTC), datetime(2026, 7, 1, 5, tzinfo=UTC)),
        (datetime(2026, 7, 1, 5, 0, tzinfo=UTC), datetime(2026, 7, 2, 5, tzinfo=UTC)),
        (datetime(2026, 12, 31, 5, 59, tzinfo=UTC), datetime(2026, 12, 31, 6, tzinfo=UTC)),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 2, 6, tzinfo=UTC)),
    ],
    ids=["summer, before", "summer, at", "winter", "clocks go back"],
)
def test_the_quota_starts_anew_at_midnight_in_us_central(moment: datetime, reset: datetime) -> None:
    assert codes.quota_reset(moment).astimezone(UTC) == reset
