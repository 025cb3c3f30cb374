"""The page for people: complete, self-contained, and no text of a file becomes more than text."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from prep.model import JobState, Reason
from prep.report import page
from prep.report.page import render_page
from tests.report.samples import in_state, sample_report

FOLDER = "leads.prep"

VOID = {"meta", "br", "hr", "img", "input", "link", "base", "source", "col", "area", "embed", "track", "wbr"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "header", "footer", "div", "span"),
    *("h1", "h2", "h3", "p", "b", "small", "code", "bdi", "ul", "li", "dl", "dt", "dd", "nav", "a"),
    *("svg", "path", "rect", "text", "tspan"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    *("aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "colspan", "content", "data-label"),
    *("focusable", "href", "http-equiv", "id", "lang", "name", "role", "scope"),
    *("d", "height", "rx", "viewbox", "width", "x", "y"),
}


@dataclass
class Page(HTMLParser):
    """What a browser would make of a page.

    Attributes:
        shape: Every tag with its attributes, in order.
        text: All text outside of the style sheet.
        unbalanced: Tags that do not close what is open.
    """

    html: str
    shape: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    text: str = ""
    style: str = ""
    unbalanced: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.html)
        self.close()
        self.unbalanced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


def _page(report: dict[str, Any], folder: str = FOLDER) -> Page:
    return Page(render_page(report, folder=folder))


def _heading(page: Page) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.html)
    assert found
    return found[1]


def _leaves(value: Any) -> Iterator[Any]:
    """Every value of a report that holds no others."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def test_every_number_of_the_report_is_on_the_page() -> None:
    report = sample_report()
    last_skipped = report["sources"][0]["skipped"].pop()  # of more than five lines of a kind only the first
    page = _page(report)
    shown = set(re.findall(r"\d[\d,.]*\d|\d", page.text))
    plain = {text.replace(",", "") for text in shown}
    numbers = [
        leaf for leaf in _leaves(report) if isinstance(leaf, int | float) and not isinstance(leaf, bool)
    ]
    assert [number for number in numbers if str(number) not in plain] == []
    assert str(last_skipped["line"]) not in plain


def test_every_name_of_the_report_is_on_the_page() -> None:
    report = sample_report()
    del report["chunks"][0]["sha256"]
    del report["transitions"]
    text = _page(sample_report()).text
    words = {";": "semicolon"}
    names = [words.get(leaf, leaf) for leaf in _leaves(report) if isinstance(leaf, str)]
    assert [name for name in names if name not in text] == []
    assert Reason.INVALID_EMAIL.meaning in text
    assert Reason.UNREADABLE_ROW.meaning in text


def test_every_message_of_marketo_is_explained_in_a_row_of_its_own() -> None:
    report = sample_report()
    report["messages"][0] |= {"field": "score", "cause": "no <number>", "remedy": "mend", "rule": 'p = "<i>"'}
    page = _page(report)
    section = re.search(r'<section id="messages".*?</section>', page.html, re.DOTALL)
    assert section
    rows = re.findall(r"<tr role=.row.>(.*?)</tr>", section[0], re.DOTALL)
    assert [" | ".join(_cells(row)) for row in rows] == [
        "Field | Fate | Cause and remedy | Line for the schema | Rows",
        'score wrong_type | failed | no <number> mend | p = "<i>" | 37',
        "whole row plain | warned | doubtful correct it | — | 1,311",
    ]


def _cells(row: str) -> list[str]:
    return [" ".join(Page(cell).text.split()) for cell in re.findall(r"<t[hd] .*?</t[hd]>", row, re.DOTALL)]


def test_a_run_without_messages_has_no_table_of_them() -> None:
    assert "said of rows" not in _page(sample_report(messages=[])).text


def test_more_skipped_lines_than_one_reads_are_counted() -> None:
    page = _page(sample_report())
    assert "6 plain lines 1,021, 1,022, 1,023, 1,024, 1,025, …" in " ".join(page.text.split())


HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '" style="background:url(//evil.example/x)',
    "<!-- <b>",
    "]]><![CDATA[<b>",
    "<?php echo 1 ?>",
    "&lt;b&gt;&amp;&#60;",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}{# #}",
    "{{ config.__class__.__mro__ }}",
    "%s %(x)s {0} {x!r}",
    "a\x00b\x07c\x1b[31md\x7fe\x9bf\r\ng\th",
    "a\u202eb\u2066c\u200fd\ufeffe\u2028f",
    "שלום עולם",
    "\udcff\ud800",
    "-rf; $(reboot) `id` 'x'",
    "🚀👩\u200d💻" * 50,
    "x" * 5_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_text_stays_text(text: str) -> None:
    benign, page = _page(sample_report()), _page(sample_report(text), folder=text)
    assert page.shape == benign.shape
    assert (page.unbalanced, page.others) == ([], [])
    assert page.style == benign.style


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_text_is_shown_without_what_cannot_be_seen(text: str) -> None:
    page = _page(sample_report(text), folder=text)
    assert page.html.replace("\n", "").isprintable()
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    assert shown in page.text


def test_templates_in_data_are_not_evaluated() -> None:
    assert "49" not in _page(sample_report("{{ 7 * 7 }}")).text


def test_direction_of_a_name_ends_with_the_name() -> None:
    assert "<bdi>שלום עולם</bdi>" in _page(sample_report("שלום עולם")).html


def test_page_needs_nothing_else() -> None:
    page = _page(sample_report())
    assert {tag for tag, _ in page.shape} <= ELEMENTS
    assert {name for _, attributes in page.shape for name, _ in attributes} <= ATTRIBUTES
    assert not re.search(r"//|url\(|@import|@font-face|expression", page.html.replace("<!DOCTYPE html>", ""))
    policies = [
        dict(attributes)["content"] for tag, attributes in page.shape if "http-equiv" in dict(attributes)
    ]
    digest = b64encode(sha256(page.style.encode()).digest()).decode()
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    ]


def test_page_holds_together() -> None:
    page = _page(sample_report())
    assert page.html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.html.endswith("</html>")
    assert (page.unbalanced, page.others) == ([], [])
    ids = [value for _, attributes in page.shape for name, value in attributes if name == "id"]
    labels = [
        value for _, attributes in page.shape for name, value in attributes if name == "aria-labelledby"
    ]
    anchors = [f"{value}"[1:] for _, attributes in page.shape for name, value in attributes if name == "href"]
    assert len(ids) == len(set(ids))
    assert set(ids) == {*labels, *(label.removesuffix("-title") for label in labels if label)}
    assert set(anchors) <= set(ids)


def test_every_table_has_a_caption_and_headings_with_a_scope() -> None:
    shape = _page(sample_report()).shape
    tags = [tag for tag, _ in shape]
    assert tags.count("table") == tags.count("caption") == 9
    assert all("scope" in dict(attributes) for tag, attributes in shape if tag == "th")
    assert [tag for tag in tags if tag in {"h1", "h2"}] == ["h1", *["h2"] * 12]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [13, 1, 1, 1]


@pytest.mark.parametrize(
    ("report", "state", "verdict", "commands"),
    [
        (
            in_state("clean", ready=30, rejected=11) | {"goal": "clean", "target": None},
            "Prepared, not sent",
            "30 of 41 rows can be sent; nothing was sent yet.",
            [
                "prep submit leads.prep",
                "prep review leads.prep",
                "prep retry leads.prep",
                "prep check plain",
                "prep report leads.prep --json",
            ],
        ),
        (
            in_state("clean", ready=1) | {"target": "sandbox"},
            "Prepared, not sent",
            "The one row can be sent; nothing was sent yet.",
            ["prep resume leads.prep", "prep report leads.prep --json"],
        ),
        (
            in_state("clean", rejected=2) | {"target": None, "chunks": [], "jobs": []},
            "Prepared, not sent",
            "Nothing can be sent: none of the 2 rows stand in an upload file.",
            [
                "prep review leads.prep",
                "prep retry leads.prep",
                "prep check plain",
                "prep report leads.prep --json",
            ],
        ),
        (
            in_state("submitting", ready=5, sent=6, imported=4) | {"exit_code": 5},
            "Sent in part",
            "Sent so far: 10 of 15 rows; still to be sent: 5.",
            ["prep resume leads.prep", "prep status leads.prep", "prep report leads.prep --json"],
        ),
        (
            in_state("submitting", ready=5, imported=4) | {"exit_code": 4},
            "Stopped while sending",
            "Sent so far: 4 of 9 rows; still to be sent: 5.",
            ["prep resume leads.prep", "prep status leads.prep", "prep report leads.prep --json"],
        ),
        (
            in_state("waiting", sent=3, duplicate=1) | {"exit_code": 5},
            "Sent, Marketo is at work",
            "Marketo has yet to say what became of 3 of 4 rows.",
            ["prep resume leads.prep", "prep status leads.prep", "prep report leads.prep --json"],
        ),
        (
            in_state("reconciled", imported=1200) | {"exit_code": 0},
            "Finished",
            "Marketo took all 1,200 rows.",
            ["prep report leads.prep --json"],
        ),
        (
            in_state("reconciled", failed=2) | {"target": "sandbox"},
            "Finished, with rows to look at",
            "The local sandbox took none of the 2 rows.",
            [
                "prep review leads.prep",
                "prep retry leads.prep",
                "prep reconcile leads.prep",
                "prep report leads.prep --json",
            ],
        ),
        (
            in_state("unknown", unknown=7, imported=3) | {"exit_code": 6},
            "Outcome unknown",
            "Nobody can tell what became of 7 of 10 rows.",
            ["prep resume leads.prep --assume landed|lost CHUNK", "prep report leads.prep --json"],
        ),
        (
            in_state("unknown", unknown=7, ready=3) | {"exit_code": 6},
            "Outcome unknown",
            "Nobody can tell what became of 7 of 10 rows.",
            [
                "prep resume leads.prep --assume landed|lost CHUNK",
                "prep resume leads.prep",
                "prep report leads.prep --json",
            ],
        ),
    ],
)
def test_every_state_says_what_holds_and_what_to_do(
    report: dict[str, Any], state: str, verdict: str, commands: list[str]
) -> None:
    page = _page(report)
    assert f"<title>{state}: {verdict} · leads.prep</title>" in page.html
    assert _heading(page) == verdict
    assert re.findall(r"<code><bdi>(prep .*?)</bdi></code>", page.html) == commands
    assert page.unbalanced == []
    assert "The numbers close" in page.text


def test_an_unknown_upload_with_a_batch_id_can_be_asked_about_again() -> None:
    report = in_state("unknown", unknown=7)
    command = "<bdi>prep reconcile leads.prep</bdi>"
    for batch_id, is_offered in ((1_001, True), (None, False)):
        report["chunks"][0] |= {"state": "unknown", "batch_id": batch_id}
        assert (command in _page(report).html) == is_offered


def test_a_rehearsal_is_called_one() -> None:
    assert "nothing reached Marketo" in _page(sample_report(target="sandbox")).text
    assert "nothing reached Marketo" not in _page(sample_report()).text


def test_the_sum_stands_there() -> None:
    assert "501 + 77 + 271 + 5,802 + 311 + 38 = 7,000" in _page(sample_report()).text


@pytest.mark.parametrize(
    "changes", [{"balanced": False}, {"counts": sample_report()["counts"] | {"sent": 1}}]
)
def test_numbers_that_do_not_close_are_called_so(changes: dict[str, Any]) -> None:
    text = _page(sample_report(**changes)).text
    assert "The numbers do not close" in text
    assert "The numbers close" not in text


def test_a_report_of_nearly_nothing_makes_a_page() -> None:
    report = in_state("clean", rejected=0)
    for name in ("reasons", "changes", "notes", "mapping", "chunks", "jobs", "sources", "messages"):
        report[name] = []
    report |= {"duplicates": [], "transitions": [], "settings": {}}
    report["profile"] = {"rows": 0, "sampled": 0, "columns": []}
    for name in ("error", "list_id", "list_name", "partition_name"):
        del report[name]
    report |= {"target": None, "parent_run_id": None, "seconds": {}}
    page = _page(report)
    assert page.unbalanced == []
    assert "None" not in page.text


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_of_a_chunk_is_put_into_words(state: JobState) -> None:
    report = sample_report()
    report["chunks"][0] |= {"state": str(state), "batch_id": None}
    report["jobs"] = []
    page = _page(report)
    assert page.unbalanced == []
    assert f"{state}," not in page.text


def test_a_job_without_a_chunk_is_still_shown() -> None:
    page = _page(sample_report(chunks=[]))
    assert "6,113" in page.text


@pytest.mark.parametrize(
    ("rows", "share"),
    [(0, "—"), (1, "< 0.1 %"), (500_000, "50.0 %"), (999_999, "> 99.9 %"), (1_000_000, "100 %")],
)
def test_a_share_is_neither_none_nor_all_when_it_is_nearly_so(rows: int, share: str) -> None:
    page = _page(in_state("reconciled", imported=rows, failed=1_000_000 - rows))
    row = re.search(r'swatch imported".*?</tr>', page.html, re.DOTALL)
    assert row
    shown = re.search(r'optional">(.*?)</td>', row[0])
    assert shown
    assert shown[1].replace("&lt;", "<").replace("&gt;", ">") == share


def test_folder_is_quoted_for_the_shell() -> None:
    assert "prep report './-a b.prep' --json" in _page(sample_report(), folder="-a b.prep").text


def test_the_compiled_page_is_kept_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = sample_report()
    expected = render_page(report, folder=FOLDER)
    kept = tmp_path / "kept"
    for folder, files in ((kept, 1), (kept, 1), (tmp_path / "absent", 0)):
        monkeypatch.setattr(page, "cache_from_source", lambda _, folder=folder: str(folder / "page.pyc"))
        monkeypatch.setattr("sys.dont_write_bytecode", False)
        if folder == kept:
            folder.mkdir(exist_ok=True)
        page._template.cache_clear()
        assert render_page(report, folder=FOLDER) == expected
        assert len(list(folder.glob("*"))) == files
    for file in kept.iterdir():
        file.write_bytes(b"no bytecode")
    monkeypatch.setattr(page, "cache_from_source", lambda _: str(kept / "page.pyc"))
    page._template.cache_clear()
    assert render_page(report, folder=FOLDER) == expected
