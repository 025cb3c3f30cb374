"""The manifest of a run folder: what the run is for, and what cleaning found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from prep.config import Destination
from prep.errors import FolderError
from prep.model import Chunk, Convention, Goal, Reading
from prep.objects import LEADS, ImportObject, parse_object

MANIFEST_VERSION: Final = 1


@dataclass(frozen=True)
class SourceRecord:
    """One input, as the manifest keeps it.

    Attributes:
        path: As the user gave it.
        sha256: Digest of the file, in hexadecimal.
        reading: How it was read.
        columns: Its header as written.
        notes: What the reader decided and may be wrong, a sentence each.
        rows: Data rows, unreadable ones included; None until it was read.
        skipped: Physical lines that hold no row: `kind` and `line`.
        copy: Name of its copy in the run folder, if there is one; that is what was read.
        lookup_position: Which column held the lookup field, counted from 0. What is a record depends on it,
            so it must be the same when rows are looked up again by their number.
    """

    path: str
    sha256: str
    reading: Reading
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rows: int | None = None
    skipped: tuple[Mapping[str, Any], ...] = ()
    copy: str | None = None
    lookup_position: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as files for machines hold it."""
        raw = asdict(self)
        return {"path": raw.pop("path"), "sha256": raw.pop("sha256"), **raw.pop("reading"), **raw}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: It is something else.
        """
        return cls(
            path=raw["path"],
            sha256=raw["sha256"],
            reading=Reading(**{part.name: raw[part.name] for part in fields(Reading)}),
            columns=tuple(raw["columns"]),
            notes=tuple(raw["notes"]),
            rows=raw["rows"],
            skipped=tuple(raw["skipped"]),
            copy=raw["copy"],
            lookup_position=raw["lookup_position"],
        )


@dataclass(frozen=True)
class Cleaned:
    """What cleaning found, in the words of `report.json`.

    Attributes:
        fields: REST names of the upload's columns.
        chunks: The upload files.
        reasons: `code`, `field` (None where a whole row is meant), `rows` and `shapes`.
        changes: `field`, `rule` and `cells`.
        notes: Values sent as they are that deserve a look: `code`, `field`, `cells` and the first `rows`.
        blank_cells: `field` and `cells`: blanks among the rows of the upload files.
        cleared_cells: The same of orders to clear the field.
        seconds: Duration of each stage.
        profile: What the columns of the valid rows hold (`Profile.to_json`).
        duplicates: `size` and `groups`: how many groups of duplicates have how many rows, the kept one too.
    """

    fields: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    reasons: tuple[Mapping[str, Any], ...]
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[Mapping[str, Any], ...]
    blank_cells: tuple[Mapping[str, Any], ...]
    cleared_cells: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]
    profile: Mapping[str, Any]
    duplicates: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Manifest:
    """What a run folder is for.

    Attributes:
        run_id: Name of the run, unique.
        parent_run_id: The run whose rows this one tries again.
        parent: Folder of that run, as seen from the folder that holds this one; None where nobody noted it.
        goal: `clean` or `run`.
        sources: The inputs.
        settings: `CleanSettings.to_json()`.
        schema: `name`, `origin` (as given to `--schema`), `fingerprint`, and of the upload's `fields` the
            `type` and `length` by which their values were judged.
        mapping: `source`, `field` and `how` of each column.
        suppression: `path` and `sha256` of each suppression list.
        cleaned: None until cleaning is complete.
        destination: Where the rows are to go; None for a run that only cleans.
        max_rejected: With more rejected rows resuming sends nothing: `100`, `5%`; None once it was sent.
        has_ledger: Whether sending began. From then on a missing ledger is an error.
        is_purged: Whether the rows' data was deleted.
        conventions: How columns of dates and numbers are read, where their cells had to tell.
        preflight: What deserved a look before the first byte was sent: `code`, `field`, `rows`, `message`.
        preview: What the import was going to change when it was looked up (`report.json` has the same).
        is_restore: The rows are what people had before the parent run: they belong to its instance alone.
        remarks: What does not add up of what Marketo said, but decides no row's fate: `chunk`, `message`.
            Or, with `failed.csv` for `chunk`, that this table does not have all failed rows.
        retries: Folders of the runs that try rows of this one again, as seen from the folder that holds it.
        tells_sent: Whether `failed.csv` holds values as sent, under the names of their fields.
        sheets_before: In a retry, sources of the runs before whose lines are the rows of a sheet.
        wrote_failed: SHA-256 of `failed.csv` as prep wrote it, now last and before; any other is of a person.
    """

    run_id: str
    goal: Goal
    sources: tuple[SourceRecord, ...]
    settings: Mapping[str, Any]
    schema: Mapping[str, Any]
    mapping: tuple[Mapping[str, Any], ...]
    suppression: tuple[Mapping[str, str], ...] = ()
    parent_run_id: str | None = None
    cleaned: Cleaned | None = None
    destination: Destination | None = None
    max_rejected: str | None = None
    has_ledger: bool = False
    is_purged: bool = False
    conventions: tuple[Convention, ...] = ()
    preflight: tuple[Mapping[str, Any], ...] = ()
    preview: Mapping[str, Any] | None = None
    is_restore: bool = False
    remarks: tuple[Mapping[str, str], ...] = ()
    retries: tuple[str, ...] = ()
    tells_sent: bool = False
    wrote_failed: tuple[str, ...] = ()
    parent: str | None = None
    sheets_before: tuple[str, ...] = ()

    @property
    def results(self) -> Cleaned:
        """What cleaning found.

        Raises:
            FolderError: It was not finished.
        """
        if self.cleaned is None:
            raise FolderError(
                "cleaning was interrupted", code="not_cleaned", hint="prep resume DIR carries on."
            )
        return self.cleaned

    @property
    def read(self) -> int:
        """Rows of all sources."""
        return sum(source.rows or 0 for source in self.sources)

    @property
    def sheets(self) -> frozenset[str]:
        """Sources whose lines are the rows of a sheet."""
        own = (source.path for source in self.sources if source.reading.sheet)
        return frozenset(self.sheets_before).union(own)

    @property
    def into(self) -> ImportObject:
        """What the rows become."""
        return parse_object(self.settings["object"])

    def to_json(self) -> dict[str, Any]:
        """The manifest as its file holds it."""
        sources = [source.to_json() for source in self.sources]
        return {"version": MANIFEST_VERSION, **asdict(self), "sources": sources}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: It is something else.
        """
        cleaned = raw["cleaned"]
        return cls(
            run_id=raw["run_id"],
            goal=raw["goal"],
            sources=tuple(SourceRecord.from_json(source) for source in raw["sources"]),
            settings={"object": str(LEADS), **raw["settings"]},
            schema=raw["schema"],
            mapping=tuple(raw["mapping"]),
            suppression=tuple(raw["suppression"]),
            parent_run_id=raw["parent_run_id"],
            destination=Destination(**raw["destination"]) if raw["destination"] else None,
            max_rejected=raw.get("max_rejected"),
            has_ledger=raw["has_ledger"],
            is_purged=raw.get("is_purged", False),
            conventions=tuple(Convention(**column) for column in raw.get("conventions", ())),
            preflight=tuple(raw.get("preflight", ())),
            preview=raw.get("preview"),
            is_restore=raw.get("is_restore", False),
            remarks=tuple(raw.get("remarks", ())),
            retries=tuple(raw.get("retries", ())),
            tells_sent=raw.get("tells_sent", False),
            wrote_failed=tuple(raw.get("wrote_failed", ())),
            parent=raw.get("parent"),
            sheets_before=tuple(raw.get("sheets_before", ())),
            cleaned=cleaned
            and Cleaned(
                fields=tuple(cleaned["fields"]),
                chunks=tuple(Chunk(**chunk) for chunk in cleaned["chunks"]),
                reasons=tuple(cleaned["reasons"]),
                changes=tuple(cleaned["changes"]),
                notes=tuple(cleaned["notes"]),
                blank_cells=tuple(cleaned["blank_cells"]),
                cleared_cells=tuple(cleaned["cleared_cells"]),
                seconds=cleaned["seconds"],
                profile=cleaned["profile"],
                duplicates=tuple(cleaned["duplicates"]),
            ),
        )
