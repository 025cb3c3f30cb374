"""The sets that show what becomes of values, headers and duplicates."""

import csv
import json
import re
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from prep.headers import Column, map_headers
from prep.limits import STRING_CHARACTERS
from prep.model import Countries, Phones, Unknown
from prep.pipeline import Prepared, clean, prepare
from prep.schema import Field, Schema
from prep.schema_file import load_schema
from prep.validation import compile_judge, validate
from prep.values import Spelling, normalise
from prep.values.countries import english_names, find_country
from prep.values.phones import to_e164
from tests.corpora.registry import Promise, Reached

LEADS = Schema("s", {"email": Field("email", "email")}, ("email",))
SPELLINGS = ["national_example", "as_international", "as_national_format", "as_00_prefix", "as_rfc3966"]

LANGUAGES = """
    am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja ka kk
    km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn pa pl ps pt pt_PT ro ru si sk sl sq sr sv sw ta te th
    tk tr uk ur uz vi zh zh_Hant zu
""".split()  # noqa: SIM905 (so many of them)

MEANT = {"phone": {"phone", "mobilePhone"}, "notes": set[str]()}
"""What a canonical column may map to, if not to the field of that name: the set calls a mobile phone a phone,
and notes are only suggested, because they would overwrite those of the instance."""

CRM_COLUMNS = {
    "Lead ID": "",
    "Forename": "firstName",
    "Surname": "lastName",
    "Town": "city",
    "Telephone": "phone",
}
INVISIBLE = (
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
NEVER_MERGED = {"plus_tag_diff_email", "typo_email", "other_email_same_person"}
MERGE = {"phone": "first", "title": "longest", "company": "most-frequent"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def accepted(cells: list[str], *, repair: bool) -> dict[str, str]:
    """Addresses as they came → as they are sent, those that are."""
    frame = pl.DataFrame({"_was": cells, "email": cells})
    normalised = normalise(frame, LEADS.fields, Spelling(repair_emails=repair)).frame
    valid = validate(normalised, compile_judge(LEADS, ["email"], "email")).valid
    return dict(valid.select("_was", "email").rows())


def addresses(folder: Path, tier: str) -> list[str]:
    rows = rows_of(folder / "email_consensus.csv")
    return [json.loads(row["address_json"]) for row in rows if row["tier"] == tier]


def good_addresses(folder: Path) -> Reached:
    """All pass as they are."""
    cells = addresses(folder, "must_accept")
    sent = accepted(cells, repair=True)
    return Reached.of({repr(cell): sent.get(cell) == cell for cell in cells})


def bad_addresses(folder: Path) -> Reached:
    """None passes as it is; nine can be repaired, and are if repairs are on."""
    cells = addresses(folder, "must_reject")
    as_typed, repaired = accepted(cells, repair=False), accepted(cells, repair=True)
    return Reached.of({repr(cell): cell not in as_typed and repaired.get(cell) != cell for cell in cells})


def regional_phones(folder: Path) -> Reached:
    """Each number in each of five spellings gives the number; none gives another one."""
    outcomes = {}
    for row in rows_of(folder / "libphonenumber_examples.csv"):
        if row["region"] != "001":
            found = {
                to_e164(row[spelling], "DE" if spelling == "as_00_prefix" else row["region"])
                for spelling in SPELLINGS
            }
            outcomes[f"{row['region']} {row['type']}"] = found == {row["expected_e164"]}
    return Reached.of(outcomes)


def lead_phones(folder: Path) -> Reached:
    """Phones and countries of lead files in nineteen languages, read beside each other."""
    fields = {"phone": Field("phone", "phone"), "country": Field("country")}
    spelling = Spelling(phones=Phones.E164, countries=Countries.ISO2)
    outcomes = {}
    for path in sorted(folder.glob("*.truth.csv")):
        rows = rows_of(path)
        cells = {"phone": [row["phone_raw"] for row in rows], "country": [row["country_raw"] for row in rows]}
        spelled = normalise(pl.DataFrame(cells), fields, spelling).frame.rows()
        for number, (row, found) in enumerate(zip(rows, spelled, strict=True), 1):
            outcomes[f"{path.name} {number}"] = found == (row["phone_e164"], row["country_iso2"])
    return Reached.of(outcomes)


def raw_countries(folder: Path) -> Iterator[tuple[str, str | None, str | None]]:
    for row in rows_of(folder / "countrynames_sample.csv"):
        yield row["raw_name"], find_country(row["raw_name"]), row["expected_code"] or None


def known_countries(folder: Path) -> Reached:
    return Reached.of({name: found == code for name, found, code in raw_countries(folder) if code})


def resolved_countries(folder: Path) -> Reached:
    return Reached.of({name: found == code for name, found, code in raw_countries(folder) if found})


def no_countries(folder: Path) -> Reached:
    return Reached.of({name: found is None for name, found, code in raw_countries(folder) if not code})


def languages(_: Path) -> Reached:
    """No wrong country in any of the languages, and 97 % of the names known in each."""
    import babel  # noqa: PLC0415  # for tests only

    outcomes = {}
    for language in LANGUAGES:
        names = babel.Locale.parse(language).territories
        found = {code: find_country(names[code]) for code in english_names() if code in names}
        right = sum(other == code for code, other in found.items())
        is_wrong = any(other not in {code, None} for code, other in found.items())
        outcomes[language] = not is_wrong and right >= 0.97 * len(found)
    return Reached.of(outcomes)


def dates(folder: Path) -> Reached:
    """Alone and without options a date is read as it is meant, or not at all."""
    outcomes = {}
    for row in rows_of(folder / "dateutil_cases.csv"):
        frame = pl.DataFrame({"day": [row["raw"]]})
        found = normalise(frame, {"day": Field("day", "date")}, Spelling()).frame["day"].item()
        outcomes[row["raw"]] = found in {row["raw"].strip(), row["expected_iso"][:10]}
    return Reached.of(outcomes)


def dedupe(folder: Path) -> Reached:
    """Every record by its truth: rejected, or one of those of which one is left."""
    truth = rows_of(folder / "truth.csv")
    result = _prepared(folder, "last")
    rejected = set(result.rejected["_row"])
    sent = {row: email.lower() for row, email in result.ready.select("_row", "email").rows()}
    kept = dict(result.duplicates.select("_row", "_kept_row").rows())
    times = Counter(sent.values())
    outcomes = {}
    for number, lead in enumerate(truth, 1):
        address = lead["canonical_email"]
        is_alone = number in sent and number not in set(kept.values())
        outcomes[f"{number} {lead['dup_class']}"] = (
            number in rejected
            if not address
            else sent.get(kept.get(number, number)) == address
            and times[address] == 1
            and (lead["dup_class"] not in NEVER_MERGED or is_alone)
        )
    return Reached.of(outcomes)


def merged(folder: Path) -> Reached:
    """Blanks never overwrite, and where values conflict each field keeps the one that its rule names."""
    truth = rows_of(folder / "truth.csv")
    groups = _groups(_prepared(folder, "last"), truth)
    outcomes = {}
    for name, rules in (("last", {}), ("rules", MERGE)):
        result = _prepared(folder, "merge", rules)
        survivors = {row["email"].lower(): row for row in result.ready.rows(named=True)}
        for number, lead in enumerate(truth, 1):
            if lead["dup_class"] not in {"blank_fields_same_email", "conflict_fields_same_email"}:
                continue
            row, group = survivors[lead["canonical_email"]], groups[lead["canonical_email"]]
            outcomes[f"{number} {lead['dup_class']} {name}"] = all(
                row[field]
                == _expected([cells[field] for cells in group if cells[field]], rules.get(field, "last"))
                for field in ("firstName", "lastName", "phone", "city", "title", "company")
            )
    return Reached.of(outcomes)


def _prepared(folder: Path, keep: str, merge: Mapping[str, str] | None = None) -> Prepared:
    path = folder / "crm_export_dirty.csv"
    return prepare(path, maps=CRM_COLUMNS, unknown="drop", keep=keep, merge=merge or {})


def _groups(result: Prepared, truth: list[dict[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """The prepared rows of each address, in the order of the file."""
    rows = [*result.ready.rows(named=True), *result.duplicates.rows(named=True)]
    groups = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["_row"])):
        groups[truth[row["_row"] - 1]["canonical_email"]].append(row)
    return groups


def _expected(values: list[str], rule: str) -> str | None:
    """What a field keeps of its values, which stand in order; among equals the last."""
    if not values:
        return None
    times = Counter(values)
    scores = {"last": lambda _: 0, "longest": len, "most-frequent": times.__getitem__}
    if rule == "first":
        return values[0]
    return max(reversed(values), key=scores[rule])


def headers(folder: Path) -> Reached:
    """Every column that is one of the fields which matter, and none that is not."""
    schema = load_schema("lead")
    outcomes = {}
    for file in json.loads((folder / "manifest.json").read_text("utf-8")):
        mapping = map_headers(
            file["header"], schema, lookup_field="email", maps={}, constants={}, unknown=Unknown.ERROR
        )
        for column, meant in zip(mapping.columns, file["columns"], strict=True):
            outcomes[f"{file['file']}: {column.header}"] = _is_meant(column, meant, schema)
    return Reached.of(outcomes)


def _is_meant(column: Column, meant: str, schema: Schema) -> bool:
    fields = MEANT.get(meant, {meant} & set(schema.fields))
    return column.field in fields if fields else not column.is_used


def naughty_strings(folder: Path) -> Reached:
    """Through reading, cleaning and a chunk parsed back, as a last name if it fits and as notes."""
    strings: list[str] = json.loads((folder / "blns.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "blns.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, quoting=csv.QUOTE_ALL)
            lines.writerow(["email", "lastName", "mktoPersonNotes"])
            lines.writerows(
                [f"n{number}@example.com", text if len(text) <= STRING_CHARACTERS else "", text]
                for number, text in enumerate(strings)
            )
        run = clean(path, Path(scratch) / "blns.prep")
        sent: dict[str, tuple[str, str]] = {}
        for chunk in sorted(run.folder.chunks.iterdir()):
            sent |= {row["email"]: (row["lastName"], row["mktoPersonNotes"]) for row in rows_of(chunk)}
    return Reached.of(
        {
            f"{number}: {text[:40]!a}": sent.get(f"n{number}@example.com")
            == (documented(text) if len(text) <= STRING_CHARACTERS else "", documented(text))
            for number, text in enumerate(strings)
        }
    )


def documented(text: str) -> str:
    """What docs/values.md says becomes of any text."""
    text = re.sub(INVISIBLE, "", text).strip("\x1c\x1d\x1e\x1f")
    text = re.sub(r"\r\n?|[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]", "\n", text)
    text = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in text)
    text = re.sub(r"^[ \t\n\u200c\u200d]+|[ \t\n\u200c\u200d]+$", "", text)
    text = unicodedata.normalize("NFC", text)
    return "" if text in {"NULL", "null"} else text


PROMISES = [
    Promise("email", "good addresses pass as they are", 1, "", good_addresses),
    Promise("email", "bad addresses do not", 1, "", bad_addresses),
    Promise("phones", "regional examples in five spellings", 1_118 / 1_126, "", regional_phones),
    Promise("leads-encodings", "phone and country of every row", 1, "", lead_phones),
    Promise("countries", "raw spellings resolved", 0.9, "", known_countries),
    Promise("countries", "of those resolved, right", 0.999, "", resolved_countries),
    Promise("countries", "what is no country left alone", 1, "", no_countries),
    Promise("countries", "names in 78 languages", 1, "", languages),
    Promise("dates", "read as meant, or not at all", 1, "", dates),
    Promise("leads-dups", "rejected, kept or lost as the truth says", 1, "", dedupe),
    Promise("leads-dups", "blanks and conflicts, by default and by rules", 1, "", merged),
    Promise("leads-encodings", "columns mapped as meant, or left open", 1, "", headers),
    Promise("blns", "strings arrive as they were", 1, "", naughty_strings),
]
