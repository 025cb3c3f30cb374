"""The rows that the tests of members and custom objects import."""

from pathlib import Path

import pytest

from tests.cli.conftest import here, marketo, prep, program

__all__ = ["cars", "guests", "here", "marketo", "prep", "program", "services"]

GUESTS = """Email Address,First Name,Company,Seats,registrationCode
ada.winter@example.com,Ada,Winter Clocks,2,R-1
not-an-address,Nemo,,1,R-2
ADA.Winter@example.com,Ada,Winter Clocks,3,R-3
shared.mailbox@example.com,Dora,Lind,1,R-4
_odd@example.org,Odd,,1,R-5
new.guest@example.net,Nora,North,,R-6
"""
"""Six rows: one is rejected, one loses, one fails because two leads have its address, one is warned."""

CARS = """VIN,Driver,Make,Year,Price,Bought On
WBA4R7C55HK895912,ada.winter@example.com,BMW,2017,20900,2026-01-05
wba4r7c55hk895912,bruno.salas@example.org,BMW,2017,,2026-01-05
WBA4R7C55HK895912,ada.winter@example.com,BMW,2018,21500.75,2026-02-05
,chidi.obi@example.net,Seat,2020,,
VSSZZZ6JZ9R000001,nobody@example.com,Seat,2009,,
VSSZZZ6JZ9R000002,,Seat,2009-ish,,
VSSZZZ6JZ9R000003,_odd@example.org,Seat,2021,,
"""
"""Seven rows: two are rejected, one loses, one fails because no lead has its address, one is warned."""

SERVICES = """vin,Serviced On,garage,mileage
A,2026-01-05,North,100
A,2026-01-05,South,120
A,2026-01-06,North,130
B,2026-01-05,North,9
B,,North,9
"""
"""Five rows under a key of two fields: one is rejected, one loses."""


@pytest.fixture
def guests(here: Path) -> Path:
    return _written(here / "guests.csv", GUESTS)


@pytest.fixture
def cars(here: Path) -> Path:
    return _written(here / "cars.csv", CARS)


@pytest.fixture
def services(here: Path) -> Path:
    return _written(here / "services.csv", SERVICES)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
