"""What fuzzed texts are made of."""

from typing import Final

PIECES: Final = (
    b"\n", b"\r\n", b"\r", b"\n\n", b",", b";", b"\t", b"|", b'"', b'""', b"'", b"''", b"\\", b'\\"', b'",',
    b',"', b'"\n', b'\n"', b";;", b"#", b"# a remark\n", b"\n#", b"sep=;\n", b"sep=,\n", b"Email,Name\n",
    b"Email;Name;City\n", b"Email", b"First Name", b"Phone", b"ann@example.com", b",bo@example.org,",
    b"+34 600", b"2026-01-31", b"7", b"Total", b"Leads of May\n", b" ", b"\0", b"\xff", b"\xc3\xa9",
    b"\xc3", b"\xef\xbb\xbf", b"x^", b"x\x01", b"\x1f\x8b", b"\xe2\x80\xa8", b"\x0b", b"\x1a",
    b"a,b\n1,2\n", b'"a\nb",c\n', b"a", b"b c",
)  # fmt: skip

CELLS: Final = (
    b'""', b'"a"', b'"a,b"', b'"a;b"', b'"a""b"', b'"a\nb"', b'"a\r\n\r\nb"', b'5" pipe', b'"a', b'a"',
    b' "a"', b"\0", b"\xff", b'"\xff\n"', b"x^", b'"""', b'""""', b" ", b"\xef\xbb\xbfa", b'"\n"', b'"a\\"b"',
    b'"a\\\\"', b"'a'", b'"a" ', b"#", b"#a b", b"a@b.co", b'"x\na@b.co,a@b.co,a@b.co\ny"', b"a\r", b"\r",
    b"\xc3\xa9", b"007", b'"a"b',
)  # fmt: skip

LINE_ENDS: Final = (b"\n", b"\n", b"\n", b"\r\n", b"\r\n", b"\r")
