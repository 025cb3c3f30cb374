"""Where a table begins: which of its first records is the header, and whether there is one at all."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_PREAMBLE_RECORDS: Final = 30
"""A header is looked for among as many records that are not blank."""

_MOSTLY = 0.8
_ADDRESS = re.compile(r"[^@\s,;|<>]+@[^@\s,;|<>][^@\s,;|<>.]*\.[^@\s,;|<>]+")
_FIGURES = re.compile(r"[(+-]*\d[\d\s().,:/+-]*(?:T[\d:.+-]+Z?)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_WEB_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_NOT_IN_WORDS = re.compile(r"[\W_]+")

_COLUMN_NAMES: Final = """
    email emailaddress mail mailaddress workemail businessemail contactemail emailid name firstname first
    lastname last surname familyname givenname fullname middlename contactname salutation phone phonenumber
    telephone tel mobile mobilephone mobilenumber cell cellphone workphone fax company companyname
    organisation organization account accountname employer title jobtitle role position department industry
    address street city town state province region postalcode postcode zip zipcode country countryregion
    website url notes note comments comment leadsource source leadstatus status owner id leadid contactid
    recordid date created createdat createddate updatedat birthday dateofbirth unsubscribed optin emailoptin
    consent language gender emailadresse epost epostadresse mailadresse nachname vorname familienname anrede
    telefon telefonnummer handy mobil mobiltelefon firma unternehmen firmenname strasse straße ort stadt plz
    postleitzahl land bundesland notiz notizen bemerkung bemerkungen kommentar funktion abteilung
    geburtsdatum titel courriel adresseemail adressemail nom prénom prenom nomdefamille téléphone
    telephoneportable portable société societe entreprise ville pays codepostal adresse fonction poste
    remarques commentaire commentaires correo correoelectrónico correoelectronico direccióndecorreo nombre
    nombredepila apellido apellidos teléfono telefono móvil movil celular empresa compañía ciudad país pais
    paísregión códigopostal dirección cargo notas cognome nome nomecognome azienda società città citta paese
    cellulare indirizzo cap ruolo sobrenome apelido telefone telemóvel cidade endereço observações voornaam
    achternaam naam bedrijf bedrijfsnaam plaats woonplaats telefoonnummer emailadres förnamn efternamn
    företag stad fornavn etternavn efternavn virksomhed bedrift by imię nazwisko nazwafirmy telefonkomórkowy
    miasto kraj jméno příjmení společnost názevfirmy město země poznámka keresztnév vezetéknév cég város
    ország telefonszám имя фамилия отчество телефон компания организация город страна почта электроннаяпочта
    элпочта примечание όνομα επώνυμο τηλέφωνο εταιρεία πόλη χώρα ad soyad eposta şirket şehir ülke etunimi
    sukunimi sähköposti puhelin yritys kaupunki maa שם שםפרטי שםמשפחה דואל אימייל טלפון נייד חברה עיר ארץ
    الاسم البريدالإلكتروني رقمالهاتف الهاتف اسمالشركة الشركة المدينة الدولة 姓 名 氏名 名前 下の名前 苗字
    メール メールアドレス 電子メール 電話 電話番号 会社 会社名 企業名 国 市 備考 メモ 姓名 名字 邮箱
    电子邮箱 電子郵件 电话 手机 手機 公司 公司名称 城市 国家 國家 备注 備註 이메일 이름 성 전화 전화번호
    회사 회사명 국가 도시 메모 อีเมล ชื่อ ชื่อจริง นามสกุล บริษัท โทรศัพท์ เมือง ประเทศ หมายเหตุ họ tên
    điệnthoại côngty quốcgia thànhphố ghichú
"""
_WORDS: Final = frozenset(_COLUMN_NAMES.split())
"""What columns of lead files are called, folded: evidence for a header, never needed for one."""


class Record(NamedTuple):
    """One of the first records of a text.

    Attributes:
        line: How many physical lines come before it.
        cells: Its cells as text; none where its quoting is broken.
        has_quotes: Some of its cells are quoted.
    """

    line: int
    cells: list[str] | None
    has_quotes: bool = False

    @property
    def width(self) -> int:
        """How many cells it has."""
        return len(self.cells or ())

    @property
    def last(self) -> str:
        """The last cell."""
        return self.cells[-1] if self.cells else ""

    @property
    def filled(self) -> list[str]:
        """The cells that hold something."""
        return [cell for cell in self.cells or () if cell.strip()]

    @property
    def is_remark(self) -> bool:
        """Tell whether it begins like a comment."""
        return bool(self.cells and self.cells[0].startswith("#"))


def usual_width(records: Sequence[Record]) -> int:
    """Tell how many cells most records have; in doubt as many as the first one."""
    plain = [record for record in records if record.cells is not None and not record.is_remark]
    widths = [record.width for record in plain or records if record.cells is not None]
    if not widths:
        return 1
    counts = Counter(widths)
    most = max(counts.values())
    return widths[0] if counts[widths[0]] == most else max(w for w, count in counts.items() if count == most)


def find_header(records: Sequence[Record]) -> int:
    """Find the header among the first records: the index of the first one unless others plainly precede it.

    Records above the header are a preamble where each holds one cell at most, or where none of them holds a
    known column name and the header does. They always hold fewer cells than the header does.
    """
    width = usual_width(records)
    first = _after_remarks(records, width)
    above: list[Record] = []
    for index in range(first, min(len(records), MAX_PREAMBLE_RECORDS)):
        record = records[index]
        if index > first and not record.is_remark and _heads(record, above, records[index + 1 :], width):
            return index
        if not record.is_remark:
            above.append(record)
    return first


def lacks_header(header: Record, body: Sequence[Record]) -> bool:
    """Tell whether what stands in the header's place is a row like those below.

    It is one if it holds addresses where the rows below do, or if it holds figures or web addresses where
    they do and not one known column name.
    """
    rows = [record.cells for record in body if record.cells is not None and record.width == header.width]
    kinds = [_kind(cell) for cell in header.cells or ()]
    alike = {
        kind
        for position, kind in enumerate(kinds)
        if kind and _is_mostly(kind, [cells[position] for cells in rows])
    }
    if "address" in alike:
        return True
    if _known_words(header):
        return False
    filled = len(header.filled)
    return bool(alike) if rows else filled > 0 and len(list(filter(None, kinds))) == filled


def _after_remarks(records: Sequence[Record], width: int) -> int:
    """Step over comments at the top; the last one may be the header (`#id,name`)."""
    first = next((index for index, record in enumerate(records) if not record.is_remark), 0)
    if first and records[first - 1].width == width and not _is_of_names(records[first], width):
        return first - 1
    return first


def _heads(record: Record, above: Sequence[Record], below: Sequence[Record], width: int) -> bool:
    if not _is_of_names(record, record.width if _differs_at_end(record, below, width) else width):
        return False
    known = _known_words(record) > 0 and not any(_known_words(other) for other in above)
    if width == 1:
        addresses = ["@" in "".join(other.filled) for other in (*above, *below)]
        return known and not any(addresses[: len(above)]) and any(addresses)
    if any(len(other.filled) >= len(record.filled) for other in above):
        return False
    return known or all(other.cells is not None and len(other.filled) <= 1 for other in above)


def _differs_at_end(record: Record, below: Sequence[Record], width: int) -> bool:
    """Tell whether a record, or else each one of the table's width, ends with one delimiter more."""
    if record.width == width + 1:
        return width > 1 and not record.last.strip()
    rows = [other for other in below if other.width == width]
    return record.width == width - 1 and not any(other.last.strip() for other in rows)


def _is_of_names(record: Record, width: int) -> bool:
    """Tell whether a record of the table's width could be its header: names, most of them different."""
    filled = record.filled
    if record.width != width or not filled or len(filled) * 2 <= width:
        return False
    if any("@" in cell or _kind(cell) for cell in filled):
        return False
    return len(set(filled)) * 2 > len(filled)


def _known_words(record: Record) -> int:
    return sum(_NOT_IN_WORDS.sub("", cell.casefold()) in _WORDS for cell in record.filled)


def _kind(cell: str) -> str:
    """Name what a cell holds that no column is called; nothing where it may be a name."""
    text = cell.strip()
    if _ADDRESS.fullmatch(text):
        return "address"
    if _FIGURES.fullmatch(text) and not _YEAR.fullmatch(text):
        return "figures"
    return "web address" if _WEB_ADDRESS.fullmatch(text) else ""


def _is_mostly(kind: str, cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    if not filled:
        return kind == "address"
    return sum(_kind(cell) == kind for cell in filled) >= len(filled) * _MOSTLY
