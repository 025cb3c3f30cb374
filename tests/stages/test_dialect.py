import pytest

from prep.sources.dialect import Dialect, detect


@pytest.mark.parametrize(
    ("sample", "delimiter", "confident"),
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
        pytest.param("Email\na@b\nc@d\n", ",", True, id="one column"),
        pytest.param("Company\nAcme, Inc\nBolt\n", ",", False, id="one column with commas"),
        pytest.param("a,b\n1\n2\n3,4\n", ",", False, id="mostly ragged"),
        pytest.param(
            'a,b\n1,"x\n2,3\n4,5\n6,7\n8,9\n1,2\n3,4\n5,6\n7,8\n9,1\n', ",", True, id="one open quote"
        ),
        pytest.param("x;y,,\n1;2,,\n", ";", True, id="names are better than blanks"),
        pytest.param("", ",", True, id="nothing"),
    ],
)
def test_detection(sample: str, delimiter: str, *, confident: bool) -> None:
    assert detect(sample.encode()) == Dialect(delimiter, confident=confident)


def test_a_long_sample_is_judged_by_its_beginning() -> None:
    sample = b"a;b\n" + b"1;2\n" * 99 + b"1,2,3\n" * 1000
    assert detect(sample) == Dialect(";", confident=True)
