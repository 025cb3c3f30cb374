import pytest

from prep.model import Reading
from prep.sources.dialect import detect
from prep.sources.records import Dialect


@pytest.mark.parametrize(
    ("text", "delimiter", "confident"),
    [
        pytest.param("a,b\n1,2\n", ",", True, id="comma"),
        pytest.param("a;b\n1;2\n", ";", True, id="semicolon"),
        pytest.param("a\tb\n1\t2\n", "\t", True, id="tab"),
        pytest.param("a|b\n1|2\n", "|", True, id="pipe"),
        pytest.param("Email;Amount\na@b;1,5\nc@d;2,5\n", ";", True, id="decimal commas"),
        pytest.param("Email\tCompany\na@b\tX, Y, Z\nc@d\tV, W\n", "\t", True, id="more commas than tabs"),
        pytest.param("a,b\n\n1,2\n\n\n", ",", True, id="blank lines do not count"),
        pytest.param('a,b\n"x;y;z",2\n"p;q;r",3\n', ",", True, id="semicolons in quotes"),
        pytest.param('"Last; first","Mail"\n"A; b",c\n', ",", True, id="semicolons in the header's quotes"),
        pytest.param("name,mail|other\nx,y|z\nu,v|w\n", ",", False, id="two that fit alike"),
        pytest.param("a|b|c,d\ne|f|g,h\n", "|", False, id="of two that fit alike, the one with more columns"),
        pytest.param("Email\na@b\nc@d\n", ",", True, id="one column"),
        pytest.param("Company\nAcme, Inc\nBolt\n", ",", False, id="one column with commas"),
        pytest.param("a,b\n1\n2\n3,4\n", ",", False, id="mostly ragged"),
        pytest.param("a,a,\n1,2,3\n", ",", True, id="repeated and missing names"),
        pytest.param(
            'a,b\n1,"x\n2,3\n4,5\n6,7\n8,9\n1,2\n3,4\n5,6\n7,8\n9,1\n', ",", True, id="one open quote"
        ),
        pytest.param("x;y,,\n1;2,,\n", ";", True, id="names are better than blanks"),
        pytest.param("Leads, May 2026\n\nEmail;City\na@b;X\nc@d;Y\n", ";", True, id="a title above"),
        pytest.param("", ",", True, id="nothing"),
    ],
)
def test_delimiters(text: str, delimiter: str, *, confident: bool) -> None:
    found = detect(text.encode())
    assert (found.sample.dialect.delimiter, found.confident) == (delimiter, confident)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        pytest.param("a,b\n'1','x,y'\n", Dialect(",", "'"), id="a delimiter in single quotes"),
        pytest.param("'a'|'b'\n'c'|d\n", Dialect("|", "'"), id="most cells in single quotes"),
        pytest.param("a,b\n1,'t Hooft\n2,'x'\n", Dialect(","), id="an apostrophe in front"),
        pytest.param("a,b\n1,2\n3,4\n5,6\n7,'x'\n", Dialect(","), id="a quoted word"),
        pytest.param("a,b\n\"1\",2\n'3,4',5\n", Dialect(","), id="double quotes are there as well"),
        pytest.param('a,b\n1,"x \\"y\\""\n', Dialect(",", '"', "backslash"), id="backslashes"),
        pytest.param("a,b\n'x \\'y\\'',1\n", Dialect(",", "'", "backslash"), id="backslashes, single quotes"),
        pytest.param('a,b\n"C:\\x\\",1\n"D:\\",2\n', Dialect(","), id="paths that end with a backslash"),
        pytest.param('a,b\n1,"x ""y"""\n', Dialect(","), id="doubled"),
        pytest.param("a,b\n1,2\n", Dialect(","), id="none"),
    ],
)
def test_quotes_and_escapes(text: str, dialect: Dialect) -> None:
    assert detect(text.encode()).sample.dialect == dialect


@pytest.mark.parametrize(
    ("known", "dialect"),
    [
        (Reading(delimiter=";"), Dialect(";")),
        (Reading(quote='"'), Dialect(",")),
        (Reading(quote=""), Dialect(",", "")),
        (Reading(quote="'", escape="backslash"), Dialect(",", "'", "backslash")),
    ],
)
def test_what_is_known_is_not_doubted(known: Reading, dialect: Dialect) -> None:
    assert detect(b"'a','b;c'\n'1','2;3'\n", known).sample.dialect == dialect


def test_a_long_text_is_judged_by_its_beginning() -> None:
    found = detect(b"a;b\n" + b"1;2\n" * 99 + b"1,2,3\n" * 1000)
    assert (found.sample.dialect, found.confident) == (Dialect(";"), True)
