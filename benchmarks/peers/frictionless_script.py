"""frictionless: a table schema, and a report on what breaks it."""

from frictionless import Resource, Schema

from benchmarks.peers.job import BIRTH, EMAIL, EMPLOYEES, MOST_CHARACTERS, TEXTS, answer, arguments

EVERY_ERROR = 10**9


def main() -> None:
    """Validate; the report names rows, and rows are written by nobody."""
    source, folder = arguments()
    texts = [
        {"name": name, "type": "string", "constraints": {"maxLength": MOST_CHARACTERS}} for name in TEXTS
    ]
    address = texts[TEXTS.index(EMAIL)]
    address["format"] = "email"
    address["constraints"] = {"required": True, "maxLength": MOST_CHARACTERS}
    fields = [*texts, {"name": EMPLOYEES, "type": "integer"}, {"name": BIRTH, "type": "date"}]
    schema = Schema.from_descriptor({"fields": fields})
    resource = Resource(path=source.name, basepath=str(source.parent), schema=schema, encoding="utf-8")
    report = resource.validate(limit_errors=EVERY_ERROR)
    (folder / "report.json").write_text(report.to_json())
    broken = {row for row, _ in report.flatten(["rowNumber", "type"])}
    answer(valid=report.tasks[0].stats["rows"] - len(broken))


if __name__ == "__main__":
    main()
