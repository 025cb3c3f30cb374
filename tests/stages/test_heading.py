"""Where the header is, what stands above it, and what is skipped below."""

from pathlib import Path

import pytest

from prep.errors import SettingsError, SourceError
from prep.model import Reading
from prep.sources.delimited import DelimitedSource, open_delimited


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.csv"


def opened(path: Path, text: str, reading: Reading = Reading()) -> DelimitedSource:  # noqa: B008
    path.write_bytes(text.encode())
    return open_delimited(str(path), reading)


def skipped(source: DelimitedSource, lookup_position: int | None = None) -> list[tuple[str, int]]:
    batches = list(source.read(lookup_position))
    return [(entry.kind, entry.line) for batch in batches for entry in batch.skipped]


def rejected_lines(source: DelimitedSource, lookup_position: int | None = None) -> list[int]:
    return [line for batch in source.read(lookup_position) for line in batch.rejected["_line"]]


LEADS = "Email,First Name,City\nann@example.com,Ann,Lyon\nbo@example.org,Bo,Bonn\n"
HEADER = ("Email", "First Name", "City")


@pytest.mark.parametrize(
    ("above", "kinds"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("sep=,\n", ["preamble"], id="sep"),
        pytest.param('"sep=,"\r\n', ["preamble"], id="sep in quotes"),
        pytest.param("Leads of the fair\n\n", ["preamble", "blank"], id="a title"),
        pytest.param("Leads of the fair,,\n", ["preamble"], id="a title in a row of the table"),
        pytest.param(",,\nLeads,,\n", ["preamble", "preamble"], id="a row of nothing and a title"),
        pytest.param(
            "Exported by,Cy\nOn,1 May\n\n", ["preamble", "preamble", "blank"], id="names and values"
        ),
        pytest.param('"Two\nlines"\n', ["preamble", "preamble"], id="a title of two lines"),
        pytest.param("# made by a tool, on, a, day\n", ["comment"], id="a comment with delimiters"),
        pytest.param("#one\n\n# two\n", ["comment", "blank", "comment"], id="comments"),
        pytest.param("Leads\n# of May\n", ["preamble", "comment"], id="a title and a comment"),
    ],
)
def test_lines_above_the_header(path: Path, above: str, kinds: list[str]) -> None:
    source = opened(path, above + LEADS)
    assert source.columns == HEADER
    assert source.reading.header_line == len(kinds) + 1
    expected = [(kind, line) for line, kind in enumerate([*kinds, "header"], 1)]
    assert skipped(source) == expected
    (batch,) = source.read()
    assert batch.cells.select("_row", "_line").rows() == [(1, len(kinds) + 2), (2, len(kinds) + 3)]
    assert ("left out" in " ".join(source.notes)) == (
        "preamble" in kinds and not above.strip('"').startswith("sep")
    )


@pytest.mark.parametrize(
    ("text", "header_line"),
    [
        pytest.param("Name\nAnn,a@example.com\nBo,b@example.com\n", 1, id="a header too narrow"),
        pytest.param("One,Two\nx,y,z\nu,v,w\n", 1, id="names and values could be a header"),
        pytest.param("#,Email\n1,a@example.com\n", 1, id="the first column is called #"),
        pytest.param("#Email\na@example.com\n", 1, id="the only column is called #Email"),
        pytest.param("a,,\n1,2,3\n", 1, id="names are missing"),
        pytest.param(",,\nann@example.com,Ann,Lyon\n", 1, id="all names are missing"),
        pytest.param(
            "Leads of May\n\nEmail\na@example.com\nb@example.com\n", 3, id="a title over one column"
        ),
        pytest.param("Leads\nEmail,Name\n", 1, id="nothing tells a title from a header"),
    ],
)
def test_which_line_is_the_header(path: Path, text: str, header_line: int) -> None:
    assert opened(path, text).reading.header_line == header_line


def test_sep_settles_the_delimiter(path: Path) -> None:
    source = opened(path, "sep=|\na,b|c,d\n1,2|3,4\n")
    assert (source.reading.delimiter, source.columns) == ("|", ("a,b", "c,d"))
    assert source.notes == ()


def test_sep_with_a_broken_character_settles_nothing(path: Path) -> None:
    path.write_bytes(b"sep=\xbd\n" + LEADS.encode())
    source = open_delimited(str(path), Reading(encoding="utf-8"))
    assert (source.reading.delimiter, source.columns) == (",", HEADER)
    assert skipped(source) == [("preamble", 1), ("header", 2)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ann@example.com,Ann\nbo@example.org,Bo\n", id="addresses"),
        pytest.param("ann@example.com\n", id="one address"),
        pytest.param("Ann,ann@example.com,Phone\nBo,bo@example.org,Email\n", id="known words as values"),
        pytest.param("Ann,+34 600 100 200\nBo,+34 600 100 201\n", id="phones"),
        pytest.param("Ann,Lyon,2026-05-01\nBo,Bonn,2026-05-02\n", id="dates"),
        pytest.param("1,2,3\n", id="figures alone"),
    ],
)
def test_no_header_is_refused_rather_than_taking_a_lead_for_one(path: Path, text: str) -> None:
    with pytest.raises(SourceError) as caught:
        opened(path, text)
    assert caught.value.code == "no_header"
    assert "--no-header --map 1=email" in caught.value.hint
    assert "Ann" not in caught.value.message + caught.value.hint
    source = opened(path, text, Reading(header_line=0))
    assert source.columns == tuple(str(number) for number in range(1, len(source.columns) + 1))
    assert sum(batch.cells.height for batch in source.read(0)) == text.count("\n")
    assert opened(path, text, Reading(header_line=1)).reading.header_line == 1


@pytest.mark.parametrize(
    "text",
    [
        "Name,2025,2026\nAnn,7,8\n",
        "Kunde,2025,2026\nAnn,7,8\n",
        "a,b\n1,2\n",
        "id\n7\n",
        "Email,+\na@example.com,7\n",
    ],
)
def test_a_header_is_one_even_beside_figures(path: Path, text: str) -> None:
    assert opened(path, text).reading.header_line == 1


def test_without_a_header_the_first_record_is_row_one(path: Path) -> None:
    source = opened(path, "\n# note\nann@example.com,Ann\nbo@example.org,Bo\n1,2\n", Reading(header_line=0))
    (batch,) = source.read(0)
    assert batch.cells.rows() == [
        ("ann@example.com", "Ann", 1, 3),
        ("bo@example.org", "Bo", 2, 4),
        ("1", "2", 3, 5),
    ]
    assert skipped(source, 0) == [("blank", 1), ("comment", 2)]


def test_a_given_header_line_is_not_doubted(path: Path) -> None:
    source = opened(path, "Email,Name\nx\n\n7,8\nann@example.com,Ann\n", Reading(header_line=4))
    assert source.columns == ("7", "8")
    assert skipped(source) == [("preamble", 1), ("preamble", 2), ("blank", 3), ("header", 4)]
    assert source.notes == ()


@pytest.mark.parametrize("line", [2, 4, 99])
def test_a_header_line_that_is_not_there(path: Path, line: int) -> None:
    with pytest.raises(SourceError) as caught:
        opened(path, "Email,Name\n\nann@example.com,Ann\n", Reading(header_line=line))
    assert caught.value.code == "no_header_line"


def test_the_header_again_is_no_row(path: Path) -> None:
    source = opened(path, '"Work\nEmail",Name\na@example.com,Ann\n"Work\nEmail","Name"\nb@example.com,Bo\n')
    (batch,) = source.read()
    assert batch.cells.rows() == [("a@example.com", "Ann", 1, 3), ("b@example.com", "Bo", 2, 6)]
    assert skipped(source) == [("header", 1), ("header", 2), ("repeated_header", 4), ("repeated_header", 5)]


def test_nearly_the_header_is_a_row(path: Path) -> None:
    source = opened(path, LEADS + "Email,First Name,Town\nemail,first name,city\nEmail,First Name\n")
    assert rejected_lines(source) == [6]
    assert sum(batch.cells.height for batch in source.read()) == 4


@pytest.mark.parametrize(
    ("line", "lookup_position", "is_comment"),
    [
        ("# a remark", 0, True),
        ("#remark", 0, True),
        ("# a remark", 2, True),
        ("# a remark,x", 2, True),
        ("#1001", 0, False),
        ("#1001", 2, True),
        ("#ann@example.com", 0, False),
        ("# ask ann@example.com", 0, False),
        ("# a,b,remark of full width", 0, False),
        ("#,lookup", 1, False),
        (" # not in front", 0, False),
        ("# a remark", None, True),
    ],
)
def test_comments_are_lines_that_can_be_no_row(
    path: Path, line: str, lookup_position: int | None, *, is_comment: bool
) -> None:
    source = opened(path, f"{LEADS}{line}\ncy@example.net,Cy,Cork\n")
    assert (("comment", 4) in skipped(source, lookup_position)) == is_comment
    cells = [row for batch in source.read(lookup_position) for row in batch.cells["_row"]]
    rejected = rejected_lines(source, lookup_position)
    assert len(cells) + len(rejected) == (3 if is_comment else 4)


@pytest.mark.parametrize(
    ("tail", "lookup_position", "footer"),
    [
        ("Total,2\n", 2, [4]),
        ("\nTotal,2\n\nPage 1\n", 2, [5, 7]),
        (",2\n", 0, [4]),
        ("Total,2\n", 0, []),
        ("Total,2\n", None, []),
        ("Total,2,\n", 2, []),
        ("Total\ncy@example.net,Cy,Cork\n", 2, []),
        ("Total\ncy@example.net,Cy,Cork\nEnd\n", 2, [6]),
        ("Total,2,3,4\n", 2, []),
        ("Nora,+353 1 555\n", 2, [4]),
        ("Nora,Cork\n", 2, []),
        ("山田,東京\n", 2, []),
        ("Nora,Cork\nTotal,€ 2\n", 2, [5]),
        ('Total,"x\n', 2, []),
        ("Written by cy@example.net\n", 2, [4]),
        ("cy@example.net\n", 2, []),
        (" cy@example.net ,555\n", 2, []),
        ('"Cy,""Kay, jr"",""cy@example.net"""\n', 2, []),
        ("Total\ncy@example.net\nEnd\n", 2, [6]),
    ],
)
def test_a_footer_has_too_few_cells_no_lookup_value_no_address_and_one_cell_of_words(
    path: Path, tail: str, lookup_position: int | None, footer: list[int]
) -> None:
    source = opened(
        path, LEADS.replace("Email", "Name").replace("City", "Email") + tail, Reading(header_line=1)
    )
    found = skipped(source, lookup_position)
    assert [line for kind, line in found if kind == "footer"] == footer
    rows = [
        row
        for batch in source.read(lookup_position)
        for frame in (batch.cells, batch.rejected)
        for row in frame["_row"]
    ]
    assert sorted(rows) == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("above", ["Leads of the fair\n", "Leads of the fair,,\n", "Fair,May\n\n"])
@pytest.mark.parametrize(("of_header", "of_rows"), [("", ","), (",", "")])
def test_a_title_above_lines_that_end_with_one_delimiter_more_or_less(
    path: Path, above: str, of_header: str, of_rows: str
) -> None:
    header, *rows = (LEADS + LEADS.partition("\n")[2].replace("@", "@mail.")).splitlines()
    source = opened(path, f"{above}{header}{of_header}\n" + "".join(f"{row}{of_rows}\n" for row in rows))
    assert (source.columns, source.reading.header_line) == (HEADER, above.count("\n") + 1)
    assert (rejected_lines(source, 0), sum(batch.cells.height for batch in source.read(0))) == ([], 4)


def test_rows_with_a_value_more_are_not_below_a_title(path: Path) -> None:
    source = opened(path, "Leads\nEmail,City\n" + "".join(f"a{row}@b.example,Bonn,x\n" for row in range(9)))
    assert source.columns == ("Leads",)


@pytest.mark.parametrize(
    ("above", "behind", "note"),
    [
        ("All leads\n", "", "the header is taken to be in line 2; 1 line above it left out"),
        (
            "",
            ",",
            "rows end with one delimiter more than the header does; the empty cell behind it is left out",
        ),
    ],
)
def test_long_notes_of_many_lines_hide_neither_the_header_nor_how_rows_end(
    path: Path, above: str, behind: str, note: str
) -> None:
    cell = "\n".join(["told that they will call back"] * 600)
    rows = [f'p{number}@example.com,P,"{cell}"{behind}\n' for number in range(40)]
    source = opened(path, f"{above}{','.join(HEADER)}\n{''.join(rows)}")
    assert (source.columns, source.notes) == (HEADER, (note,))
    assert sum(batch.cells.height for batch in source.read(0)) == len(rows)
    assert rejected_lines(source, 0) == []
    assert open_delimited(str(path), source.reading).surplus == len(behind)


def test_a_footer_is_found_across_blocks_and_has_an_end(path: Path) -> None:
    source = opened(path, "a,b\n" + "1,2\n" * 50 + "short\n" * 150, Reading(header_line=1))
    for block_bytes in (1, 64, 1 << 20):
        batches = list(source.read(1, block_bytes=block_bytes))
        footer = [entry.line for batch in batches for entry in batch.skipped if entry.kind == "footer"]
        assert footer == list(range(102, 202))
        assert [line for batch in batches for line in batch.rejected["_line"]] == list(range(52, 102))


def test_a_delimiter_at_the_end_of_rows_alone(path: Path) -> None:
    source = opened(
        path,
        'Email,Name\na@example.com,Ann,\n"b@example.com","Bo",\nc@example.com,Cy\nd@example.com,Di,x\ne@example.com,Ed,\n',
    )
    (batch,) = source.read()
    assert batch.cells.rows() == [
        ("a@example.com", "Ann", 1, 2),
        ("b@example.com", "Bo", 2, 3),
        ("c@example.com", "Cy", 3, 4),
        ("e@example.com", "Ed", 5, 6),
    ]
    assert batch.rejected.rows() == [(4, 5, "unreadable_row", "d@example.com,Di,x")]
    assert "one delimiter more" in source.notes[0]


@pytest.mark.parametrize("first", ["a@example.com,Ann,", '"a@example.com","Ann",'])
def test_what_stands_behind_a_surplus_delimiter_is_not_lost(path: Path, first: str) -> None:
    source = opened(path, f"Email,Name\n{first}\nb@example.com,Bo,\nc@example.com,Cy,x\n")
    (batch,) = source.read()
    assert batch.cells["_row"].to_list() == [1, 2]
    assert batch.rejected.rows() == [(3, 4, "unreadable_row", "c@example.com,Cy,x")]


def test_blank_lines_are_no_rows_of_a_single_column_with_a_delimiter_behind_it(path: Path) -> None:
    source = opened(path, 'Email,\na@example.com,\nb@example.com\n\nc"x"@example.com\n\n')
    (batch,) = source.read()
    assert source.columns == ("Email",)
    assert batch.cells.rows() == [
        ("a@example.com", 1, 2),
        ("b@example.com", 2, 3),
        ('c"x"@example.com', 3, 5),
    ]
    assert skipped(source) == [("header", 1), ("blank", 4), ("blank", 6)]


def test_a_line_of_full_width_is_never_skipped(path: Path) -> None:
    path.write_bytes(b"Name,Email\nAnn,a@example.com\n#x,\xff\nTotal,\0\n")
    source = open_delimited(str(path), Reading(encoding="utf-8", header_line=1))
    assert skipped(source, 1) == [("header", 1)]
    assert skipped(source) == [("header", 1)]
    assert rejected_lines(source) == [3, 4]


def test_a_delimiter_at_the_end_of_the_header_alone(path: Path) -> None:
    source = opened(path, "Email,Name,\na@example.com,Ann\nb@example.com,Bo,x\n")
    assert source.columns == ("Email", "Name")
    assert rejected_lines(source) == [3]


def test_a_delimiter_at_the_end_of_every_line_is_a_column(path: Path) -> None:
    source = opened(path, "Email,Name,\na@example.com,Ann,\nb@example.com,Bo,x\n")
    assert source.columns == ("Email", "Name", "")
    (batch,) = source.read()
    assert batch.cells["2"].to_list() == [None, "x"]


def test_a_row_as_wide_as_a_header_with_a_nameless_end_is_a_row(path: Path) -> None:
    source = opened(path, "Email;First Name;\na@example.com;A\nb@example.com;B\nc@example.com;C;\n")
    (batch,) = source.read(0)
    assert batch.cells["0"].to_list() == ["a@example.com", "b@example.com", "c@example.com"]
    assert (source.columns, batch.rejected.height) == (("Email", "First Name"), 0)


@pytest.mark.parametrize(
    ("tail", "last"),
    [
        pytest.param(";;", ";;", id="bare"),
        pytest.param(';"";""', ';"";""', id="quoted"),
        pytest.param(";;", "", id="rows without them"),
        pytest.param(";;", ";", id="rows with some"),
        pytest.param(";;", ";;;", id="rows with one more"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 64, 1 << 20])
def test_columns_at_the_end_without_name_and_value(
    path: Path, tail: str, last: str, block_bytes: int
) -> None:
    rows = [f"p{number}@example.com;Pat;{last}" for number in range(200)]
    rows[150] = "late@example.com;Late;;kept;"
    source = opened(
        path, "\n".join([f"Email;Name;City{tail}", *rows, f"Email;Name;City{tail}", ";Total", ""])
    )
    assert source.columns == ("Email", "Name", "City")
    assert source.notes == (
        "2 columns at the end without name and value left out; rows with a value there are rejected",
    )
    batches = list(source.read(0, block_bytes=block_bytes))
    cells = [row for batch in batches for row in batch.cells.rows()]
    assert cells == [(f"p{n}@example.com", "Pat", None, n + 1, n + 2) for n in range(200) if n != 150]
    assert [row for batch in batches for row in batch.rejected.rows()] == [
        (151, 152, "unreadable_row", "late@example.com;Late;;kept;")
    ]
    assert [(line.kind, line.line) for batch in batches for line in batch.skipped] == [
        ("header", 1),
        ("repeated_header", 202),
        ("footer", 203),
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Email,Name,,\na@example.com,Ann,,x\n", ("Email", "Name", "", "")),
        ("Email,Name,,\na@example.com,Ann,x,\n", ("Email", "Name", "")),
        ("Email,,Name,\na@example.com,,Ann,\n", ("Email", "", "Name")),
        ("Email,Name, \na@example.com,Ann,\n", ("Email", "Name", " ")),
        ("Email,,\na@example.com,,\n", ("Email", "")),
        ("Email,Name,,\n", ("Email", "Name")),
    ],
)
def test_columns_with_a_value_or_within_the_table_are_kept(
    path: Path, text: str, columns: tuple[str, ...]
) -> None:
    assert opened(path, text).columns == columns


def test_an_open_quote_does_not_take_whole_rows_with_it(path: Path) -> None:
    rows = 'a@example.com,"Ann,Lyon\nb@example.com,Bo,Bonn\nc@example.com,5",Cork\nd@example.com,Di,Dax\n'
    source = opened(path, "Email,Name,City\n" + rows)
    assert rejected_lines(source, 0) == [2]
    assert sum(batch.cells.height for batch in source.read(0)) == 3


def test_cells_that_are_nearly_an_address_take_no_time(path: Path) -> None:
    cell = f"a@{'.' * 240_000}@"
    assert opened(path, f"{cell},Name\nb@example.com,Bo\n").columns == (cell, "Name")
    source = opened(path, f'Email,Name,City\n"a,Ann,Lyon\n{cell},Bo,Bonn\nc",Cy,Cork\n')
    assert sum(batch.cells.height for batch in source.read(0)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Email,A|B\na@example.com,x|y\n", "a bar reads them nearly as well"),
        ("a,b,c\n1\n2\n3,4,5\n", "many lines do not have as many cells"),
        ("Company\nAcme, Inc\nBolt\n", "a single column"),
        ("Email,Name\na@example.com,'x,y'\n", "quoted with '"),
        ('"Email", "Name"\n"a@example.com", "Ann"\n', "quotes behind a space are part of their cells"),
        ('Email;Name\na@example.com; "Ann"\n', "quotes behind a space are part of their cells"),
        ('Email,Name\na@example.com,"x \\"y\\""\n', "backslash"),
    ],
)
def test_what_may_be_wrong_is_said(path: Path, text: str, words: str) -> None:
    source = opened(path, text)
    assert words in " ".join(source.notes)
    assert opened(path, text, source.reading).notes == ()


def test_one_quote_behind_a_space_says_nothing(path: Path) -> None:
    text = 'Email,Name\na@example.com, "Ann\nb@example.com, "Bo"\nc@example.com,Cy\nd@example.com,Di\n'
    assert opened(path, text).notes == ()


def test_quotes_and_escapes_other_than_the_usual(path: Path) -> None:
    text = "Email;Name\n'a@example.com';'Ann ''A;'' \"x\"'\nb@example.com;5\" 'p'\n"
    (batch,) = opened(path, text).read()
    assert batch.cells.rows() == [
        ("a@example.com", "Ann 'A;' \"x\"", 1, 2),
        ("b@example.com", "5\" 'p'", 2, 3),
    ]
    text = (
        'Email,Name\na@example.com,"Ann \\"A\\", \\\\ \\n ""B"""\nb@example.com,C:\\\n'
        'c@example.com,"x\\"\nd@example.com,"\\"y\\""\n'
    )
    (batch,) = opened(path, text).read()
    assert batch.cells.rows() == [
        ("a@example.com", 'Ann "A", \\ \\n "B"', 1, 2),
        ("b@example.com", "C:\\", 2, 3),
        ("d@example.com", '"y"', 4, 5),
    ]
    assert batch.rejected.rows() == [(3, 4, "unreadable_row", 'c@example.com,"x\\"')]
    (batch,) = opened(path, 'a,b\n"1","2\n', Reading(quote="", header_line=1)).read()
    assert batch.cells.rows() == [('"1"', '"2', 1, 2)]


def test_an_escape_that_comes_late_is_found(path: Path) -> None:
    source = opened(path, "a,b\n" + 'x,"y"\n' * 500 + 'x,"y \\"z\\""\n')
    assert source.reading.escape == "backslash"
    assert rejected_lines(source) == []


@pytest.mark.parametrize(
    ("reading", "code"),
    [
        (Reading(quote="''"), "bad_quote"),
        (Reading(quote="\n"), "bad_quote"),
        (Reading(delimiter=",", quote=","), "bad_delimiter"),
        (Reading(escape="caret"), "bad_escape"),
        (Reading(delimiter="\\", escape="backslash"), "bad_escape"),
    ],
)
def test_marks_that_cannot_be(path: Path, reading: Reading, code: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(path, LEADS, reading)
    assert caught.value.code == code
