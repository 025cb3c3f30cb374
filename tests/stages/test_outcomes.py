"""Failure and warning files of every known shape, joined to the chunk that was sent."""

import polars as pl
import pytest

from prep.errors import FolderError
from prep.model import Fate, Format
from prep.outcomes import ChunkOutcome, join_chunk, whole_chunk

NAMES = "firstName,score,birthDate,optIn,email"
ANN = "Ann,12.50,2010-05-07,true,ann@x.com"
BO = '"Bo, ""B""",7,,false,bo@x.com'
CY = "Cy,,2011-01-02T15:41:32-05:00,,cy@x.com"
SENT = f"{NAMES}\n{ANN}\n{BO}\n{CY}\n"
HEADER = f"{NAMES},Import Failure Reason\n"
WARNING_HEADER = f"{NAMES},Import Warning Reason\n"


def _join(
    failures: str | bytes = "",
    warnings: str = "",
    *,
    failed: int = 1,
    warned: int = 0,
    processed: int | None = None,
    sent: str = SENT,
    format: Format = Format.CSV,  # noqa: A002  # as in join_chunk
    lookup_field: str = "email",
) -> ChunkOutcome:
    return join_chunk(
        sent.encode(),
        failures if isinstance(failures, bytes) else failures.encode(),
        warnings.encode(),
        format=format,
        lookup_field=lookup_field,
        failed_count=failed,
        warned_count=warned,
        processed_count=processed,
    )


def _fates(outcome: ChunkOutcome) -> str:
    """Give each row's fate and, after a colon, how it was found."""
    rows = outcome.rows.select("fate", "matched_by").iter_rows()
    return " ".join(f"{fate}:{matched_by}" if matched_by else fate for fate, matched_by in rows)


def _lines(frame: pl.DataFrame) -> list[tuple[str, str | None, str, str | None, int]]:
    return frame.rows()


def test_a_documented_file_gives_each_row_its_fate_and_message() -> None:
    outcome = _join(f"{HEADER}{BO},Invalid data type\n", f"{WARNING_HEADER}{CY},Invalid email\n", warned=1)
    assert outcome.rows.rows() == [
        ("imported", None, None),
        ("failed", "Invalid data type", "exact"),
        ("warned", "Invalid email", "exact"),
    ]
    assert outcome.rows.columns == ["fate", "message", "matched_by"]
    assert outcome.unmatched.columns == ["kind", "message", "why", "matched_by", "count"]
    assert (outcome.unmatched.height, outcome.repeats.height) == (0, 0)
    assert (outcome.doubts, outcome.remarks) == ((), ())


@pytest.mark.parametrize("processed", [None, 2, 3])
def test_failed_rows_may_count_as_processed_or_not(processed: int | None) -> None:
    outcome = _join(f"{HEADER}{BO},Invalid data type\n", processed=processed)
    assert _fates(outcome) == "imported failed:exact imported"
    assert outcome.doubts == ()


@pytest.mark.parametrize("processed", [0, 1, 4])
def test_counts_of_other_rows_than_were_sent_leave_the_rest_unknown(processed: int) -> None:
    outcome = _join(f"{HEADER}{BO},Invalid data type\n", processed=processed)
    assert _fates(outcome) == "unknown failed:exact unknown"
    told = f"rows: 3 were sent, Marketo counts {processed} processed and 1 failed"
    assert (outcome.doubts, outcome.rows["message"][0]) == ((told,), told)


def test_nothing_received_and_nothing_counted_means_that_all_were_taken() -> None:
    assert _fates(_join("", failed=0)) == "imported imported imported"
    assert _fates(_join(HEADER, failed=0)) == "imported imported imported"


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(f"\ufeff{HEADER}{BO},no\n".replace("\n", "\r\n"), id="byte order mark and CRLF"),
        pytest.param("\ufeffemail,Import Failure Reason\nbo@x.com,no\n", id="byte order mark before the key"),
        pytest.param(f"{HEADER}{BO},no", id="no line end at the end"),
        pytest.param(f"{HEADER}\n{BO},no\n\n\n", id="blank lines"),
        pytest.param(
            '"firstName","score","birthDate","optIn","email","Import Failure Reason"\n'
            '"Bo, ""B""","7","","false","bo@x.com","no"\n',
            id="everything quoted",
        ),
        pytest.param(f'{HEADER}"Bo, "B"",7,,false,bo@x.com,no\n', id="unescaped quotes"),
        pytest.param(f'{HEADER}"Bo, \\"B\\"",7,,false,bo@x.com,no\n', id="backslashes before quotes"),
        pytest.param(
            "EMAIL,score,Optin, birthdate ,FIRSTNAME,import  failure REASON\n"
            'bo@x.com,7,false,,"Bo, ""B""",no\n',
            id="reordered, in another case",
        ),
        pytest.param(
            'Import Failure Reason,email,score,optIn,birthDate,firstName\nno,bo@x.com,7,false,,"Bo, ""B"""\n',
            id="reason first",
        ),
        pytest.param(
            f"Row Number,{HEADER}2,{BO},no\n",
            id="a column that was not sent",
        ),
        pytest.param('firstName,score,Import Failure Reason\n"Bo, ""B""",7,no\n', id="columns missing"),
        pytest.param('firstName\tscore\tImport Failure Reason\nBo, "B"\t7\tno\n', id="tabs for csv"),
    ],
)
def test_the_writing_of_a_file_does_not_matter(file: str) -> None:
    outcome = _join(file)
    assert _fates(outcome).split()[0::2] == ["imported", "imported"]
    assert outcome.rows.row(1)[:2] == ("failed", "no")
    assert outcome.doubts == ()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param('"a, ""b""\nc"', 'a, "b" c', id="quoted"),
        pytest.param('a, "b", c', 'a, "b", c', id="unquoted delimiters"),
        pytest.param("\x1b[31mred\x07\u202e", "[31mred", id="control characters"),
        pytest.param("", None, id="none"),
        pytest.param(" \t", None, id="blank"),
    ],
)
def test_a_reason_may_hold_anything(written: str, message: str | None) -> None:
    outcome = _join(f"{HEADER}{ANN},{written}\n")
    assert outcome.rows.row(0) == ("failed", message, "exact")


@pytest.mark.parametrize(
    ("line", "row", "matched_by"),
    [
        pytest.param(ANN.upper(), 0, "normalised", id="re-cased"),
        pytest.param(" Ann ,12.50, 2010-05-07,true ,ann@x.com ", 0, "normalised", id="padded"),
        pytest.param("Ann,12.5,2010-05-07,True,ann@x.com", 0, "normalised", id="number"),
        pytest.param("Ann,1.25e1,2010-05-07,1,ann@x.com", 0, "normalised", id="exponent"),
        pytest.param("Ann,12.50,2010-05-07T00:00:00.000Z,yes,ann@x.com", 0, "normalised", id="midnight"),
        pytest.param("Cy,null,2011-01-02 20:41:32Z,NULL,cy@x.com", 2, "normalised", id="moment"),
        pytest.param("Cy,,2011-01-03T02:11:32.00+0530,,cy@x.com", 2, "normalised", id="offset"),
        pytest.param("Cy,,2011-01-02T15:41:32Z,,cy@x.com", 2, "key", id="another moment"),
        pytest.param("Ann,13,2010-05-07,true,ann@x.com", 0, "key", id="rounded"),
        pytest.param("Ann,12.50,07/05/2010,true,ANN@x.com", 0, "key", id="re-dated"),
        pytest.param("?,?,?,?, Ann@X.COM ", 0, "key", id="only the key"),
    ],
)
def test_rewritten_values_are_still_found(line: str, row: int, matched_by: str) -> None:
    outcome = _join(f"{HEADER}{line},no\n")
    assert outcome.rows.row(row) == ("failed", "no", matched_by)
    assert outcome.rows["fate"].to_list().count("imported") == 2
    assert outcome.doubts == ()


def test_a_looser_line_never_takes_the_row_of_an_exact_line_behind_it() -> None:
    sent = "email,firstName\na@x.com,Ann\na@x.com,Ann\nb@x.com,Bo\n"
    file = "email,firstName,Import Failure Reason\na@x.com,ANN,loose\na@x.com,Ann,exact\n"
    outcome = _join(file, sent=sent, failed=2)
    assert outcome.rows.rows() == [
        ("failed", "exact", "exact"),
        ("failed", "loose", "normalised"),
        ("imported", None, None),
    ]


def test_lookup_values_other_than_email_differ_by_case() -> None:
    sent = "sfdcAccountId,company\n001AbC,Acme\n001aBc,Acme\n"
    file = "sfdcAccountId,company,Import Failure Reason\n 001aBc,ACME,no\n"
    outcome = _join(file, sent=sent, lookup_field="sfdcAccountId")
    assert _fates(outcome) == "imported failed:normalised"
    file = "sfdcAccountId,company,Import Failure Reason\n001ABC,ACME,no\n"
    outcome = _join(file, sent=sent, lookup_field="sfdcAccountId")
    assert _fates(outcome) == "unknown unknown"


TWINS = "email,firstName\na@x.com,Ann\nb@x.com,Bo\na@x.com,Ann\n"


@pytest.mark.parametrize(
    ("lines", "failed", "fates"),
    [
        (1, 1, "failed:exact imported imported"),
        (2, 2, "failed:exact imported failed:exact"),
        (1, 2, "failed:exact unknown unknown"),
        (2, 1, "failed:exact unknown failed:exact"),
        (3, 2, "failed:exact imported failed:exact"),
    ],
)
def test_identical_rows_are_counted(lines: int, failed: int, fates: str) -> None:
    file = "email,firstName,Import Failure Reason\n" + "a@x.com,Ann,no\n" * lines
    assert _fates(_join(file, sent=TWINS, failed=failed)) == fates


@pytest.mark.parametrize(
    ("second", "matched_by"),
    [(ANN, "exact"), (ANN.upper(), "normalised"), ("Ann,1,,,ann@x.com", "key")],
)
def test_an_email_that_fails_twice_is_one_failed_row(second: str, matched_by: str) -> None:
    outcome = _join(f"{HEADER}{ANN},first\n{second},second\n")
    assert _fates(outcome) == "failed:exact imported imported"
    assert outcome.rows["message"][0] == "first"
    assert _lines(outcome.repeats) == [("failed", "second", "repeated", matched_by, 1)]
    assert outcome.unmatched.is_empty()


def test_a_count_that_includes_the_repetition_does_not_add_up() -> None:
    outcome = _join(f"{HEADER}{ANN},first\n{ANN},second\n", failed=2)
    assert _fates(outcome) == "failed:exact unknown unknown"
    assert outcome.doubts == ("failed rows: Marketo counts 2, its failure file names 1",)


def test_a_damaged_header_without_a_key_lets_no_longer_line_name_another_row() -> None:
    sent = "email,score,visits\nann@x.com,1,2\nbo@x.com,9,1\n"
    outcome = _join("email2score,visits,Import Failure Reason\nann@x.com,1,2,Bad\n", sent=sent)
    assert _fates(outcome) == "unknown unknown"
    assert "lines of the failure file that cannot be read: 1" in outcome.doubts


class TestMissingLookupColumn:
    """The empty trailing lookup column is missing from header and row, or leaves a blank cell in front."""

    NAMES = "firstName,lastName,phone"
    SENT = f"{NAMES},email\nBenji,Nord,212,\nBenji,Nord,212,b@x.com\nZoe,West,,z@x.com\n"
    HEADER = f"{NAMES},Import Failure Reason\n"

    @pytest.mark.parametrize(
        "file",
        [
            pytest.param(f"{HEADER}Benji,Nord,212,no email\n", id="missing"),
            pytest.param(f"{HEADER},Benji,Nord,212,no email\n", id="blank cell in front"),
            pytest.param(f",{HEADER},Benji,Nord,212,no email\n", id="blank name in front"),
            pytest.param(f",{HEADER}Benji,Nord,212,no email\n", id="blank name only"),
            pytest.param(f"{NAMES},email,Import Failure Reason\nBenji,Nord,212,no email\n", id="name only"),
            pytest.param(f"email,{HEADER}Benji,Nord,212,no email\n", id="values shifted"),
        ],
    )
    def test_the_row_with_the_blank_is_meant(self, file: str) -> None:
        outcome = _join(file, sent=self.SENT)
        assert outcome.rows.row(0) == ("failed", "no email", "exact")
        assert _fates(outcome) == "failed:exact imported imported"

    def test_a_line_that_no_such_row_explains_makes_the_guess_void(self) -> None:
        outcome = _join(f"{self.HEADER}Benji,Nord,212,no\nZoe,West,,no\n", sent=self.SENT, failed=2)
        assert _fates(outcome) == "unknown unknown failed:exact"
        assert outcome.rows["message"][0] == outcome.doubts[0]
        assert _lines(outcome.unmatched) == [("failed", "no", "several_rows", "exact", 1)]

    def test_a_guess_that_still_leaves_several_rows_is_void(self) -> None:
        sent = "firstName,email\nAnn,\nann,\nANN,z@x.com\n"
        assert (
            _fates(_join("firstName,Import Failure Reason\naNN,no\n", sent=sent)) == "unknown unknown unknown"
        )

    def test_as_many_lines_as_rows_leave_nothing_open(self) -> None:
        outcome = _join(self.HEADER + "Benji,Nord,212,no\n" * 2, sent=self.SENT, failed=2)
        assert _fates(outcome) == "failed:exact failed:exact imported"

    def test_rows_that_only_the_missing_column_tells_apart_are_unknown(self) -> None:
        sent = "firstName,email\nAnn,a@x.com\nAnn,b@x.com\nBo,c@x.com\n"
        outcome = _join("firstName,Import Failure Reason\nAnn,no\n", sent=sent)
        assert _fates(outcome) == "unknown unknown imported"
        assert outcome.doubts == ("rows that the failure file does not tell apart: 2",)


def test_a_file_that_rewrites_cells_proves_nothing_between_rows_that_differ_in_writing_only() -> None:
    sent = "email,firstName\na@x.com,Ann\na@x.com,ann\nb@x.com,Bo\n"
    header = "email,firstName,Import Failure Reason\n"
    verbatim = _join(f"{header}a@x.com,ann,no\nb@x.com,Bo,no\n", sent=sent, failed=2)
    assert _fates(verbatim) == "imported failed:exact failed:exact"
    lowered = _join(f"{header}a@x.com,ann,no\nb@x.com,bo,no\n", sent=sent, failed=2)
    assert _fates(lowered) == "unknown unknown failed:normalised"


def test_a_file_that_alters_values_proves_nothing_between_rows_with_one_key() -> None:
    sent = "email,score\na@x.com,1.26\na@x.com,1.3\nb@x.com,7.77\n"
    header = "email,score,Import Failure Reason\n"
    verbatim = _join(f"{header}a@x.com,1.3,no\nb@x.com,7.77,no\n", sent=sent, failed=2)
    assert _fates(verbatim) == "imported failed:exact failed:exact"
    rounded = _join(f"{header}a@x.com,1.3,no\nb@x.com,7.8,no\n", sent=sent, failed=2)
    assert _fates(rounded) == "unknown unknown failed:key"


def test_a_looser_line_is_not_matched_by_counting_unlike_rows() -> None:
    sent = "email,firstName\na@x.com,Ann\na@x.com,ann\nb@x.com,Bo\n"
    file = "email,firstName,Import Failure Reason\na@x.com,ANN,no\na@x.com,ANN,no\n"
    assert _fates(_join(file, sent=sent, failed=2)) == "unknown unknown imported"


def test_a_blank_is_not_a_key() -> None:
    sent = "email,firstName\n,Ann\nb@x.com,Bo\n"
    outcome = _join("email,firstName,Import Failure Reason\n,Zoe,no\n", sent=sent)
    assert _fates(outcome) == "unknown unknown"
    assert _lines(outcome.unmatched) == [("failed", "no", "no_row", None, 1)]


def test_a_key_that_two_rows_share_names_neither() -> None:
    sent = "email,score\na@x.com,1.26\nA@x.com,3\nb@x.com,\n"
    outcome = _join("email,score,Import Failure Reason\na@x.com,1.3,no\n", sent=sent)
    assert _fates(outcome) == "unknown unknown imported"


@pytest.mark.parametrize(
    ("file", "failed", "doubt"),
    [
        pytest.param("", 2, "failed rows: Marketo counts 2, its failure file names 0", id="empty"),
        pytest.param(HEADER, 1, "failed rows: Marketo counts 1, its failure file names 0", id="header"),
        pytest.param(
            f"{HEADER}{BO},no\n",
            2,
            "failed rows: Marketo counts 2, its failure file names 1",
            id="fewer",
        ),
        pytest.param(
            f"{HEADER}{BO},no\n",
            0,
            "failed rows: Marketo counts 0, its failure file names 1",
            id="more",
        ),
        pytest.param(
            f"{HEADER}{BO},no\n?,?,?,?,?,no\n",
            1,
            "lines of the failure file that match no row: 1",
            id="a stranger",
        ),
        pytest.param(
            f"{HEADER}{BO},no\nAnn,12\n",
            1,
            "lines of the failure file that cannot be read: 1",
            id="a torn line",
        ),
        pytest.param(
            '{"success":false}', 0, "lines of the failure file that cannot be read: 1", id="not such a file"
        ),
    ],
)
def test_failures_that_do_not_add_up_leave_no_row_imported(file: str, failed: int, doubt: str) -> None:
    outcome = _join(file, failed=failed)
    named = "failed:exact" if BO in file else "unknown"
    assert _fates(outcome) == f"unknown {named} unknown"
    assert outcome.doubts == (doubt,)
    assert outcome.rows.filter(fate="unknown")["message"].unique().to_list() == [doubt]


def test_a_last_line_that_was_cut_off_names_no_row_that_it_happens_to_look_like() -> None:
    """`p1@x.com,Ann,no` lost its end."""
    sent = "email,firstName\np1@x.com,Ann\np1@x.co,\n"
    header = "email,firstName,Import Failure Reason\n"
    assert _join(header + "p1@x.com,Ann,no\n", sent=sent).rows["fate"].to_list() == ["failed", "imported"]
    outcome = _join(header + "p1@x.co,", sent=sent)
    assert outcome.rows["fate"].to_list() == ["unknown", "unknown"]
    assert _lines(outcome.unmatched) == [("failed", None, "unreadable", None, 1)]


def test_lines_without_a_row_are_listed_and_counted() -> None:
    outcome = _join(f"{HEADER}?,,,,x@x.com,no\n?,,,,y@x.com,no\nAnn\n,,,,,\n", failed=2)
    assert _lines(outcome.unmatched) == [
        ("failed", "no", "no_row", None, 2),
        ("failed", None, "no_row", None, 1),
        ("failed", None, "unreadable", None, 1),
    ]


def test_failed_beats_warned() -> None:
    outcome = _join(f"{HEADER}{ANN},failed\n", f"{WARNING_HEADER}{ANN},warned\n", warned=1)
    assert outcome.rows.row(0) == ("failed", "failed", "exact")
    assert outcome.unmatched.is_empty()


def test_a_warning_goes_to_the_twin_that_did_not_fail() -> None:
    header = "email,firstName,Import {} Reason\n"
    outcome = _join(
        header.format("Failure") + "a@x.com,Ann,no\n",
        header.format("Warning") + "a@x.com,Ann,careful\n",
        sent=TWINS,
        warned=1,
    )
    assert outcome.rows["fate"].to_list() == ["failed", "imported", "warned"]


def test_a_warned_row_is_unknown_when_it_may_have_failed_too() -> None:
    outcome = _join(f"{HEADER}{BO},no\n", f"{WARNING_HEADER}{CY},careful\n", failed=2, warned=1)
    assert outcome.rows.row(2) == ("unknown", "careful", "exact")
    assert _fates(outcome) == "unknown failed:exact unknown:exact"


def test_warnings_that_do_not_add_up_make_no_row_unknown() -> None:
    warnings = f"{WARNING_HEADER}{CY},careful\n?,,,,x@x.com,lost\nCy\n"
    outcome = _join(f"{HEADER}{BO},no\n", warnings, warned=5)
    assert _fates(outcome) == "imported failed:exact warned:exact"
    assert outcome.doubts == ()
    assert outcome.remarks == (
        "warned rows: Marketo counts 5, its warning file names 1",
        "lines of the warning file that match no row: 1",
        "lines of the warning file that cannot be read: 1",
    )
    assert _lines(outcome.unmatched) == [
        ("warned", "lost", "no_row", None, 1),
        ("warned", None, "unreadable", None, 1),
    ]


def test_warnings_that_two_rows_could_have_are_listed() -> None:
    sent = "firstName,email\nAnn,a@x.com\nAnn,b@x.com\n"
    outcome = _join("", "firstName,Import Warning Reason\nAnn,careful\n", sent=sent, failed=0, warned=1)
    assert _fates(outcome) == "imported imported"
    assert _lines(outcome.unmatched) == [("warned", "careful", "several_rows", "exact", 1)]
    assert len(outcome.remarks) == 1


@pytest.mark.parametrize("format", [Format.TSV, Format.SSV])
@pytest.mark.parametrize("comma", [False, True])
def test_other_formats_may_come_back_as_sent_or_with_commas(format: Format, comma: bool) -> None:  # noqa: A002, FBT001
    own = format.delimiter
    sent = own.join(("email", "company")) + f'\na@x.com{own}"A{own}B, ""C"""\nb@x.com{own}D\n'
    used = "," if comma else own
    reason = f"a{used}b"
    file = used.join(("email", "company", "Import Failure Reason")) + "\n"
    file += f'a@x.com{used}"A{own}B, ""C"""{used}{reason}\n'
    outcome = _join(file, sent=sent, format=format)
    assert _fates(outcome) == "failed:exact imported"


def test_a_chunk_of_one_column_with_a_blank_cell_keeps_its_height() -> None:
    outcome = _join("email,Import Failure Reason\n,no\n", sent='email\na@x.com\n""\nb@x.com\n')
    assert _fates(outcome) == "imported failed:exact imported"


def test_a_line_that_can_be_read_in_two_ways_names_no_row() -> None:
    sent = "firstName,lastName,email\n,Ann,a@x.com\nAnn,Bo,b@x.com\n"
    outcome = _join("firstName,lastName,Import Failure Reason\n,Ann,Bo,no\n", sent=sent)
    assert _fates(outcome) == "unknown unknown"


def test_a_quote_that_is_never_closed_swallows_no_failure() -> None:
    outcome = _join(f'{HEADER}"Ann,12.50,2010-05-07,true,ann@x.com,no\n{BO},no\n', failed=2)
    assert "imported" not in outcome.rows["fate"].to_list()


@pytest.mark.parametrize("sent", ["", "firstName\nAnn\n", 'email\n"a@x.com\n'])
def test_a_chunk_that_is_not_ours_is_refused_without_its_values(sent: str) -> None:
    with pytest.raises(FolderError) as caught:
        _join(sent=sent)
    assert caught.value.code == "bad_chunk"
    assert "x.com" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_whole_chunk_has_one_fate(rows: int) -> None:
    outcome = whole_chunk(rows, Fate.UNKNOWN, "reply\nlost")
    assert outcome.rows.rows() == [("unknown", "reply lost", None)] * rows
    assert outcome.rows.schema == _join("", failed=0).rows.schema
    assert outcome.unmatched.schema == _join("", failed=0).unmatched.schema
    assert outcome.doubts == ("reply\nlost",)
    assert whole_chunk(rows, Fate.IMPORTED, "").rows.rows() == [("imported", None, None)] * rows
