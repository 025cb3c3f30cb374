"""How values are to be read and spelled where there is a choice."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prep.errors import SettingsError
from prep.model import Countries, DateOrder, DecimalMark, EmailCase, Phones, States
from prep.values.countries import english_names
from prep.values.dates import is_timezone


@dataclass(frozen=True)
class Spelling:
    """How values are meant that can be read in more than one way, and how they are wanted.

    Attributes:
        date_order: Order of dates that do not begin with the year. `ISO`: as proven, else they stay.
        timezone: IANA name of the zone of date-times that name none. None leaves those without.
        decimal: What stands before decimals. None: as proven, else numbers with commas or thousands stay.
        email_case: Whether addresses are written in small letters.
        phones: Whether phone numbers become E.164.
        region: ISO code of the country whose numbers those are that neither have a prefix nor a country in
            their row. None leaves them as they are.
        countries: Whether countries become ISO codes or English names.
        states: Whether states become codes or English names, where the row's country is known.
        repair_mojibake: Whether text that was decoded wrongly before it came here is repaired.
        repair_emails: Whether what is wrapped around an address is removed.
        lookup_field: REST name of the field that alone identifies a row: a word for nothing is no key.
        proven: Field → the order of dates or the decimal mark that its column proves; goes before the others.

    Raises:
        SettingsError: There is no such zone or country.
    """

    date_order: DateOrder = DateOrder.ISO
    timezone: str | None = None
    decimal: DecimalMark | None = None
    email_case: EmailCase = EmailCase.KEEP
    phones: Phones = Phones.KEEP
    region: str | None = None
    countries: Countries = Countries.KEEP
    states: States = States.KEEP
    repair_mojibake: bool = False
    repair_emails: bool = True
    lookup_field: str | None = None
    proven: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.timezone is not None and not is_timezone(self.timezone):
            raise SettingsError(
                f"--timezone does not know {self.timezone!r}",
                code="bad_timezone",
                hint="It takes a name such as Europe/Madrid, America/Chicago or UTC.",
            )
        if self.region is not None and self.region not in english_names():
            raise SettingsError(
                f"--region does not know {self.region!r}",
                code="bad_region",
                hint="It takes ISO codes of countries in capitals, such as ES, GB or US.",
            )

    def order_of(self, name: str) -> DateOrder:
        """The order of dates in a field."""
        return DateOrder(self.proven.get(name, self.date_order))

    def mark_of(self, name: str) -> DecimalMark | None:
        """What stands before decimals in a field; None where nobody knows."""
        return DecimalMark(self.proven[name]) if name in self.proven else self.decimal
