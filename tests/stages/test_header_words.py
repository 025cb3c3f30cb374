"""What people and their tools call columns: what a word means, beside which others, and what never."""

# ruff: noqa: RUF001 (letters of several alphabets)

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources.abc import Traversable

import pytest

from prep.folding import fold
from prep.headers import Column, map_headers
from prep.headers.spellings import combine, load_spellings, read_language
from prep.model import Unknown
from prep.schema_file import load_schema, packaged

LEAD = load_schema("lead")

TYPICAL: dict[str, dict[str, str]] = {
    "en": {
        "Given name": "firstName",
        "Surname": "lastName",
        "Work email": "email",
        "Organisation": "company",
        "Telephone": "phone",
        "Cell phone": "mobilePhone",
        "Position": "title",
        "Town": "city",
        "State/Province": "state",
        "Country/Region": "country",
        "Postcode": "postalCode",
        "DOB": "dateOfBirth",
        "Source": "leadSource",
        "No. of employees": "numberOfEmployees",
        "Email opt out": "unsubscribed",
        "Web page": "website",
    },
    "es": {
        "Nombre": "firstName",
        "Apellidos": "lastName",
        "Correo electrónico": "email",
        "Empresa": "company",
        "Teléfono": "phone",
        "Móvil": "mobilePhone",
        "Cargo": "title",
        "Ciudad": "city",
        "Estado": "state",
        "País": "country",
        "Código postal": "postalCode",
        "Dirección": "address",
        "Sitio web": "website",
        "Sector": "industry",
        "Nº de empleados": "numberOfEmployees",
        "Fecha de nacimiento": "dateOfBirth",
    },
    "fr": {
        "Nom": "lastName",
        "Prénom": "firstName",
        "Adresse e-mail": "email",
        "Société": "company",
        "Téléphone": "phone",
        "Portable": "mobilePhone",
        "Fonction": "title",
        "Civilité": "salutation",
        "Adresse": "address",
        "Ville": "city",
        "Code postal": "postalCode",
        "Pays": "country",
        "Secteur d'activité": "industry",
        "Chiffre d’affaires": "annualRevenue",
        "Nombre de salariés": "numberOfEmployees",
        "Désabonné": "unsubscribed",
    },
    "de": {
        "Anrede": "salutation",
        "Vorname": "firstName",
        "Name": "lastName",
        "E-Mail-Adresse": "email",
        "Firma": "company",
        "Abteilung": "department",
        "Funktion": "title",
        "Telefon": "phone",
        "Mobiltelefon": "mobilePhone",
        "Straße": "address",
        "PLZ": "postalCode",
        "Ort": "city",
        "Bundesland": "state",
        "Land": "country",
        "Branche": "industry",
        "Geburtsdatum": "dateOfBirth",
    },
    "it": {
        "Nome": "firstName",
        "Cognome": "lastName",
        "Indirizzo e-mail": "email",
        "Azienda": "company",
        "Telefono": "phone",
        "Cellulare": "mobilePhone",
        "Qualifica": "title",
        "Indirizzo": "address",
        "CAP": "postalCode",
        "Città": "city",
        "Provincia": "state",
        "Paese": "country",
        "Sito web": "website",
        "Settore": "industry",
        "Numero di dipendenti": "numberOfEmployees",
    },
    "pt": {
        "Nome": "firstName",
        "Sobrenome": "lastName",
        "E-mail": "email",
        "Empresa": "company",
        "Telefone": "phone",
        "Telemóvel": "mobilePhone",
        "Cargo": "title",
        "Endereço": "address",
        "CEP": "postalCode",
        "Cidade": "city",
        "Estado": "state",
        "País": "country",
        "Data de nascimento": "dateOfBirth",
        "Número de funcionários": "numberOfEmployees",
    },
    "nl": {
        "Voornaam": "firstName",
        "Achternaam": "lastName",
        "E-mailadres": "email",
        "Bedrijf": "company",
        "Telefoonnummer": "phone",
        "Mobiel": "mobilePhone",
        "Functie": "title",
        "Straat": "address",
        "Postcode": "postalCode",
        "Plaats": "city",
        "Provincie": "state",
        "Land": "country",
        "Aanhef": "salutation",
        "Geboortedatum": "dateOfBirth",
    },
    "sv": {
        "Förnamn": "firstName",
        "Efternamn": "lastName",
        "E-post": "email",
        "Företag": "company",
        "Titel": "title",
        "Telefonnummer": "phone",
        "Mobilnummer": "mobilePhone",
        "Adress": "address",
        "Postnummer": "postalCode",
        "Ort": "city",
        "Län": "state",
        "Land": "country",
        "Webbplats": "website",
        "Bransch": "industry",
    },
    "da": {
        "Fornavn": "firstName",
        "Efternavn": "lastName",
        "E-mailadresse": "email",
        "Virksomhed": "company",
        "Stilling": "title",
        "Telefonnummer": "phone",
        "Mobilnummer": "mobilePhone",
        "Adresse": "address",
        "Postnr.": "postalCode",
        "By": "city",
        "Land": "country",
        "Hjemmeside": "website",
        "Antal ansatte": "numberOfEmployees",
    },
    "nb": {
        "Fornavn": "firstName",
        "Etternavn": "lastName",
        "E-postadresse": "email",
        "Bedrift": "company",
        "Tittel": "title",
        "Telefonnummer": "phone",
        "Mobil": "mobilePhone",
        "Gateadresse": "address",
        "Postnummer": "postalCode",
        "Poststed": "city",
        "Fylke": "state",
        "Land": "country",
        "Antall ansatte": "numberOfEmployees",
    },
    "fi": {
        "Etunimi": "firstName",
        "Sukunimi": "lastName",
        "Sähköposti": "email",
        "Yritys": "company",
        "Titteli": "title",
        "Puhelinnumero": "phone",
        "Matkapuhelin": "mobilePhone",
        "Katuosoite": "address",
        "Postinumero": "postalCode",
        "Kaupunki": "city",
        "Maakunta": "state",
        "Maa": "country",
        "Toimiala": "industry",
    },
    "pl": {
        "Imię": "firstName",
        "Nazwisko": "lastName",
        "Adres e-mail": "email",
        "Firma": "company",
        "Stanowisko": "title",
        "Telefon": "phone",
        "Telefon komórkowy": "mobilePhone",
        "Ulica": "address",
        "Kod pocztowy": "postalCode",
        "Miejscowość": "city",
        "Województwo": "state",
        "Kraj": "country",
        "Branża": "industry",
        "Liczba pracowników": "numberOfEmployees",
    },
    "cs": {
        "Jméno": "firstName",
        "Příjmení": "lastName",
        "E-mail": "email",
        "Společnost": "company",
        "Pozice": "title",
        "Telefonní číslo": "phone",
        "Mobilní telefon": "mobilePhone",
        "Ulice": "address",
        "PSČ": "postalCode",
        "Město": "city",
        "Kraj": "state",
        "Země": "country",
        "Odvětví": "industry",
    },
    "hu": {
        "Vezetéknév": "lastName",
        "Keresztnév": "firstName",
        "E-mail cím": "email",
        "Cégnév": "company",
        "Beosztás": "title",
        "Telefonszám": "phone",
        "Irányítószám": "postalCode",
        "Város": "city",
        "Cím": "address",
        "Megye": "state",
        "Ország": "country",
    },
    "ro": {
        "Nume": "lastName",
        "Prenume": "firstName",
        "Adresa de e-mail": "email",
        "Companie": "company",
        "Funcția": "title",
        "Telefon": "phone",
        "Oraș": "city",
        "Județ": "state",
        "Țara": "country",
        "Cod poștal": "postalCode",
    },
    "lt": {
        "Vardas": "firstName",
        "Pavardė": "lastName",
        "El. paštas": "email",
        "Įmonė": "company",
        "Pareigos": "title",
        "Telefonas": "phone",
        "Miestas": "city",
        "Šalis": "country",
        "Pašto kodas": "postalCode",
    },
    "tr": {
        "Ad": "firstName",
        "SOYADI": "lastName",
        "E-posta adresi": "email",
        "Şirket": "company",
        "Unvan": "title",
        "Telefon": "phone",
        "Cep telefonu": "mobilePhone",
        "Adres": "address",
        "Posta kodu": "postalCode",
        "Şehir": "city",
        "ÜLKE": "country",
        "Sektör": "industry",
        "Çalışan sayısı": "numberOfEmployees",
    },
    "ru": {
        "Фамилия": "lastName",
        "Имя": "firstName",
        "Отчество": "middleName",
        "Эл. почта": "email",
        "Компания": "company",
        "Должность": "title",
        "Телефон": "phone",
        "Мобильный телефон": "mobilePhone",
        "Город": "city",
        "Индекс": "postalCode",
        "Область": "state",
        "Страна": "country",
        "Дата рождения": "dateOfBirth",
    },
    "uk": {
        "Прізвище": "lastName",
        "Ім’я": "firstName",
        "Електронна пошта": "email",
        "Компанія": "company",
        "Посада": "title",
        "Телефон": "phone",
        "Місто": "city",
        "Країна": "country",
    },
    "el": {
        "Επώνυμο": "lastName",
        "ΟΝΟΜΑ": "firstName",
        "Διεύθυνση email": "email",
        "Εταιρεία": "company",
        "Θέση": "title",
        "ΤΗΛΕΦΩΝΟ": "phone",
        "Κινητό": "mobilePhone",
        "Πόλη": "city",
        "Τ.Κ.": "postalCode",
        "Χώρα": "country",
    },
    "he": {
        "שם פרטי": "firstName",
        "שם משפחה": "lastName",
        "דוא״ל": "email",
        "חברה": "company",
        "תפקיד": "title",
        "טלפון": "phone",
        "נייד": "mobilePhone",
        "עיר": "city",
        "מיקוד": "postalCode",
        "מדינה": "country",
    },
    "ar": {
        "الاسم الاول": "firstName",
        "اسم العائلة": "lastName",
        "البَرِيد الإلكترونيّ": "email",
        "الشركة": "company",
        "المسمى الوظيفي": "title",
        "الهاتف": "phone",
        "الجوال": "mobilePhone",
        "المدينة": "city",
        "الدولة": "country",
        "الرمز البريدي": "postalCode",
    },
    "ja": {
        "姓": "lastName",
        "名": "firstName",
        "メールアドレス": "email",
        "会社名": "company",
        "部署": "department",
        "役職": "title",
        "電話番号": "phone",
        "携帯電話": "mobilePhone",
        "郵便番号": "postalCode",
        "都道府県": "state",
        "市区町村": "city",
        "国": "country",
        "業種": "industry",
        "従業員数": "numberOfEmployees",
        "ﾎｰﾑﾍﾟｰｼﾞ": "website",
    },
    "zh simplified": {
        "姓": "lastName",
        "名字": "firstName",
        "电子邮箱": "email",
        "公司名称": "company",
        "职位": "title",
        "电话": "phone",
        "手机": "mobilePhone",
        "省份": "state",
        "城市": "city",
        "国家/地区": "country",
        "邮编": "postalCode",
        "行业": "industry",
    },
    "zh traditional": {
        "姓氏": "lastName",
        "名字": "firstName",
        "電子郵件": "email",
        "公司名稱": "company",
        "職稱": "title",
        "聯絡電話": "phone",
        "手機": "mobilePhone",
        "縣市": "city",
        "國家/地區": "country",
        "郵遞區號": "postalCode",
    },
    "ko": {
        "성": "lastName",
        "이름": "firstName",
        "이메일": "email",
        "회사명": "company",
        "직책": "title",
        "부서": "department",
        "전화번호": "phone",
        "휴대폰": "mobilePhone",
        "도시": "city",
        "시/도": "state",
        "국가": "country",
        "우편번호": "postalCode",
    },
    "th": {
        "ชื่อ": "firstName",
        "นามสกุล": "lastName",
        "อีเมล": "email",
        "บริษัท": "company",
        "ตำแหน่ง": "title",
        "เบอร์โทรศัพท์": "phone",
        "มือถือ": "mobilePhone",
        "จังหวัด": "state",
        "ประเทศ": "country",
        "รหัสไปรษณีย์": "postalCode",
    },
    "vi": {
        "Họ": "lastName",
        "Tên": "firstName",
        "Địa chỉ email": "email",
        "Công ty": "company",
        "Chức vụ": "title",
        "Số điện thoại": "phone",
        "Thành phố": "city",
        "Quốc gia": "country",
    },
    "Salesforce report": {
        "Salutation": "salutation",
        "First Name": "firstName",
        "Last Name": "lastName",
        "Title": "title",
        "Company / Account": "company",
        "Mailing Street": "address",
        "Mailing City": "city",
        "Mailing State/Province": "state",
        "Mailing Zip/Postal Code": "postalCode",
        "Mailing Country": "country",
        "Phone": "phone",
        "Mobile": "mobilePhone",
        "Fax": "fax",
        "Email": "email",
        "Lead Source": "leadSource",
        "Lead Status": "leadStatus",
        "No. of Employees": "numberOfEmployees",
        "Email Opt Out": "unsubscribed",
        "Do Not Call": "doNotCall",
        "Birthdate": "dateOfBirth",
    },
    "Salesforce API": {
        "FirstName": "firstName",
        "LastName": "lastName",
        "Account.Name": "company",
        "Email": "email",
        "Phone": "phone",
        "MobilePhone": "mobilePhone",
        "MailingCity": "city",
        "MailingPostalCode": "postalCode",
        "MailingCountry": "country",
        "HasOptedOutOfEmail": "unsubscribed",
        "NumberOfEmployees": "numberOfEmployees",
    },
    "HubSpot": {
        "First Name": "firstName",
        "Last Name": "lastName",
        "Email": "email",
        "Phone Number": "phone",
        "Mobile Phone Number": "mobilePhone",
        "Company Name": "company",
        "Job Title": "title",
        "Street Address": "address",
        "City": "city",
        "State/Region": "state",
        "Postal Code": "postalCode",
        "Country/Region": "country",
        "Website URL": "website",
        "Industry": "industry",
        "Number of Employees": "numberOfEmployees",
        "Unsubscribed from all email": "unsubscribed",
        "LinkedIn URL": "linkedInProfileURL",
    },
    "Zoom": {
        "First Name": "firstName",
        "Last Name": "lastName",
        "Email": "email",
        "Address": "address",
        "City": "city",
        "Country/Region": "country",
        "Zip/Postal Code": "postalCode",
        "State/Province": "state",
        "Phone": "phone",
        "Industry": "industry",
        "Organization": "company",
        "Job Title": "title",
        "Number of Employees": "numberOfEmployees",
    },
    "ON24": {
        "First Name": "firstName",
        "Last Name": "lastName",
        "Email Address": "email",
        "Company": "company",
        "Job Title": "title",
        "Work Phone": "phone",
        "Address Line 1": "address",
        "City": "city",
        "State": "state",
        "Zip": "postalCode",
        "Country": "country",
        "Company Size": "numberOfEmployees",
    },
    "Eventbrite": {
        "Attendee first name": "firstName",
        "Attendee Surname": "lastName",
        "Attendee email": "email",
        "Company": "company",
        "Job Title": "title",
        "Work Phone": "phone",
        "Cell Phone": "mobilePhone",
        "Website": "website",
    },
    "LinkedIn": {
        "First name": "firstName",
        "Last name": "lastName",
        "Email address": "email",
        "Phone number": "phone",
        "City": "city",
        "State/Province": "state",
        "Country/Region": "country",
        "Zip code": "postalCode",
        "Job title": "title",
        "Company name": "company",
        "Company size": "numberOfEmployees",
        "LinkedIn profile link": "linkedInProfileURL",
    },
    "Cvent": {
        "First Name": "firstName",
        "Last Name": "lastName",
        "Email Address": "email",
        "Company Name": "company",
        "Title": "title",
        "Work Phone": "phone",
        "Mobile Phone": "mobilePhone",
        "Work Address 1": "address",
        "Work City": "city",
        "Work State/Province": "state",
        "Work ZIP/Postal Code": "postalCode",
        "Work Country": "country",
    },
    "Facebook": {
        "first_name": "firstName",
        "last_name": "lastName",
        "work_email": "email",
        "work_phone_number": "phone",
        "company_name": "company",
        "job_title": "title",
        "street_address": "address",
        "post_code": "postalCode",
        "date_of_birth": "dateOfBirth",
    },
    "Mailchimp": {
        "Email Address": "email",
        "FNAME": "firstName",
        "LNAME": "lastName",
        "Birthday": "dateOfBirth",
    },
    "Outlook": {
        "E-mail Address": "email",
        "Business Phone": "phone",
        "Business Street": "address",
        "Business City": "city",
        "Business State": "state",
        "Business Postal Code": "postalCode",
        "Business Country/Region": "country",
        "Web Page": "website",
    },
}

NEVER = (
    # What is about an address and is none.
    *(
        "Email Opt In",
        "Email Address Status",
        "Email Status",
        "Emails sent",
        "Emails Opened",
        "Invalid Email",
    ),
    *(
        "Email Domain",
        "Email Verified",
        "Email Bounced",
        "Email Hard Bounce Reason",
        "Email Format",
        "Email Type",
    ),
    *(
        "Last Email Date",
        "Email Send Date",
        "Preferred Email Type",
        "Valid Email",
        "Email Opt In Date",
        "Has Email",
    ),
    *(
        "Email Opt Out Date",
        "Email Consent",
        "Confirm Email",
        "Email Quality",
        "Email Confidence",
        "Email Count",
    ),
    # Other people's, and second ones.
    *(
        "Owner email",
        "Contact Owner Email",
        "Lead Owner Email",
        "Account owner",
        "Contact owner",
        "Buyer Email",
    ),
    *(
        "Buyer First Name",
        "Buyer Last Name",
        "Manager Email",
        "Assistant Email",
        "Assistant Phone",
        "Host Email",
    ),
    *(
        "Secondary email",
        "Alternate Email",
        "CC Email Address",
        "Email 2",
        "Previous Email",
        "Personal Email",
    ),
    *("Created By", "Created By Email", "Sales Rep Name", "Referrer Name", "Referrer Email", "Invited By"),
    *("Home Phone", "Other Phone", "Phone 2", "Phone Ext", "Work phone ext", "Phone Type", "Phone Status"),
    *("Phone Opt In", "Company Phone", "Emergency Contact Phone", "Mobile Country Code", "SMS Opt In"),
    # Names that are not a person's first or last one.
    *("Name", "Contact", "Nickname", "Maiden Name", "Username", "User Name", "Display Name", "Event Name"),
    *("Campaign Name", "Form Name", "Session Title", "Ticket Name", "Product Name", "Phonetic Last Name"),
    *("Last Name Initial", "Legal Entity", "Parent Company", "Previous Company", "Previous Job Title"),
    *(
        "Company ID",
        "Company Domain",
        "Company LinkedIn URL",
        "Company City",
        "Company Country",
        "Company Email",
    ),
    *("Country Code", "Country/Region Name", "Country of Birth", "Sales Region", "Territory", "Region"),
    *(
        "Address 2",
        "Address Line 2",
        "IP Address",
        "Home City",
        "City of Event",
        "Ticket Price",
        "Street Number",
    ),
    # Consent that is the other way round, or that of something else.
    *(
        "Subscribed",
        "Subscription Status",
        "Opt In",
        "Newsletter",
        "GDPR Consent",
        "Marketing Consent",
        "Opt Out",
    ),
    *("Fax Opt Out", "Do Not Mail", "Do Not Fax", "Call Me", "Unsubscribe Link", "Unsubscribe Date"),
    *(
        "Employee ID",
        "Employee Name",
        "Revenue",
        "Deal Revenue",
        "Score",
        "Status",
        "Stage",
        "Date",
        "Type",
        "Code",
    ),
    *("Notes", "Comments", "Description", "Birth Place", "Age", "Year of Birth", "Title of Talk"),
    # Spanish
    *(
        "Nombre",
        "Nombre completo",
        "Nombre y apellidos",
        "Nombre del evento",
        "Correo del propietario",
        "Estado",
    ),
    *(
        "Correo electrónico 2",
        "Estado del correo",
        "Acepta correo",
        "Título",
        "Región",
        "Consentimiento",
        "Observaciones",
    ),
    # French
    *("Nom", "Nom et prénom", "Nom de jeune fille", "Titre", "Région", "État", "Poste", "Statut e-mail"),
    *(
        "Adresse e-mail du propriétaire",
        "Inscrit à la newsletter",
        "Nom de l'événement",
        "Complément d'adresse",
    ),
    # German
    *(
        "Name",
        "Vor- und Nachname",
        "Titel",
        "E-Mail erlaubt",
        "E-Mail-Status",
        "Newsletter erwünscht",
        "Geburtsort",
    ),
    *(
        "Geburtsname",
        "Hausnummer",
        "Ländervorwahl",
        "Vorwahl",
        "Mitarbeiter",
        "Kundennummer",
        "Abgemeldet",
        "PLZ/Ort",
    ),
    # Others
    *("Nome", "Nome e cognome", "Nome completo", "Stato", "Titolo", "Codice fiscale", "Codinome"),
    *("Naam", "Tussenvoegsel", "Huisnummer", "Afgemeld", "Navn", "Namn", "Nimi", "Avmeldt", "Postort/Land"),
    *("Imię i nazwisko", "Kraj", "Stan", "Jméno", "Titul", "Stát", "Rodné číslo", "Név", "Nem", "Nume"),
    *("Ad", "Ad Soyad", "İl", "TC Kimlik No", "Имя", "ФИО", "Почта", "Индекс", "Край", "Ім'я", "Όνομα"),
    *("Ονοματεπώνυμο", "שם", "שם מלא", "הערות", "الاسم", "الاسم الكامل", "اللقب", "المنطقة"),
    *(
        "氏名",
        "お名前",
        "フリガナ",
        "姓(カナ)",
        "名(カナ)",
        "セイ",
        "メイ",
        "名",
        "メモ",
        "メール配信",
        "メール配信可否",
    ),
    *(
        "姓名",
        "名字",
        "联系人",
        "備註",
        "邮箱状态",
        "是否订阅",
        "이름",
        "성명",
        "성",
        "이메일 수신 동의",
        "ชื่อ",
        "ชื่อ-นามสกุล",
    ),
    *("Họ và tên", "Tên", "Ghi chú"),
)


def columns(*headers: str, split_name: bool = False) -> dict[str, Column]:
    mapping = map_headers(
        headers,
        LEAD,
        lookup_field="email",
        maps={},
        constants={},
        unknown=Unknown.ERROR,
        split_name=split_name,
    )
    return {column.header: column for column in mapping.columns}


def fields(*headers: str) -> dict[str, str | None]:
    return {header: column.field if column.is_used else None for header, column in columns(*headers).items()}


@pytest.mark.parametrize("words", TYPICAL.values(), ids=TYPICAL)
def test_a_typical_header_maps(words: dict[str, str]) -> None:
    assert fields(*words) == words
    assert fields(*reversed(words)) == words


@pytest.mark.parametrize("words", TYPICAL.values(), ids=TYPICAL)
def test_spelling_does_not_matter(words: dict[str, str]) -> None:
    for change in (
        str.upper,
        lambda word: f" {word.replace(' ', '_')} *",
        lambda word: f"{word}:",
        lambda word: f"\ufeff{word}\u200e",
    ):
        changed = {change(word): field for word, field in words.items()}
        assert fields(*changed) == changed


@pytest.mark.parametrize("header", sorted(set(NEVER)))
def test_hard_negatives_are_never_applied(header: str) -> None:
    assert not columns("email", header)[header].is_used


@pytest.mark.parametrize(
    "header",
    sorted({header for header in NEVER if header.isascii()} - {"Estado", "Nom", "Nome", "Name", "Naam"}),
)
def test_hard_negatives_are_not_applied_beside_usual_columns_either(header: str) -> None:
    assert not columns("First Name", "Last Name", "Email", "Company", "Phone", header)[header].is_used


@pytest.mark.parametrize("header", sorted(set(NEVER)))
def test_what_says_yes_is_not_suggested_for_what_says_no(header: str) -> None:
    suggested = columns("email", header)[header].field
    if suggested and LEAD.fields[suggested].type == "boolean":
        assert header in {"Opt Out", "Invalid Email", "Abgemeldet", "Afgemeld", "Avmeldt"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Vorname", "Name"], {"Name": "lastName"}),
        (["Vorname", "Nachname", "Name"], {"Name": None, "Nachname": "lastName"}),
        (["First Name", "Name"], {"Name": None}),
        (["Prénom", "Nom"], {"Nom": "lastName"}),
        (["Prénom", "Nom de famille", "Nom"], {"Nom": None}),
        (["Nome", "Cognome"], {"Nome": "firstName"}),
        (["Nome", "Apelido"], {"Nome": "firstName", "Apelido": "lastName"}),
        (["Nome", "Sobrenome", "Apelido"], {"Sobrenome": "lastName", "Apelido": None}),
        (["Nome", "Last Name"], {"Nome": None}),
        (["Voornaam", "Naam"], {"Naam": "lastName"}),
        (["Nume", "Prenume"], {"Nume": "lastName"}),
        (["Jméno", "Příjmení"], {"Jméno": "firstName"}),
        (["姓", "名字"], {"姓": "lastName", "名字": "firstName"}),
        (["名字", "名"], {"名字": "lastName", "名": "firstName"}),
        (["名字", "下の名前"], {"名字": "lastName"}),
        (["이름", "성"], {"이름": "firstName", "성": "lastName"}),
        (["الاسم", "اللقب"], {"الاسم": "firstName", "اللقب": "lastName"}),
        (["First", "Last"], {"First": "firstName", "Last": "lastName"}),
        (["First"], {"First": None}),
        (["Imię", "Kraj"], {"Kraj": "country"}),
        (["Miasto", "Kraj"], {"Kraj": "country"}),
        (["Město", "Kraj"], {"Kraj": "state"}),
        (["Město", "Kraj", "Stát"], {"Kraj": "state", "Stát": "country"}),
        (["Vorname", "Land", "Staat"], {"Land": "country", "Staat": None}),
        (["Förnamn", "Titel"], {"Titel": "title"}),
        (["Vorname", "Titel"], {"Titel": None}),
        (["Ville", "État"], {"État": "state"}),
        (["Ciudad", "Estado"], {"Estado": "state"}),
    ],
)
def test_other_columns_make_a_word_certain(headers: list[str], expected: dict[str, str | None]) -> None:
    found = fields("email", *headers)
    assert {header: found[header] for header in expected} == expected


def test_two_languages_that_differ_settle_nothing() -> None:
    spellings = combine(
        (
            read_language("a", 'aliases.firstName = ["uno"]\nbeside.firstName.lastName = ["nom"]'),
            read_language("b", 'aliases.firstName = ["one"]\nbeside.firstName.company = ["nom"]'),
        )
    )
    assert spellings.settle({"uno", "nom"}) == {"nom": "lastName"}
    assert spellings.settle({"uno", "one", "nom"}) == {}


@pytest.mark.parametrize(
    "texts",
    [
        ['aliases.city = ["Põst"]\naliases.state = ["POST"]'],
        ['aliases.city = ["Põst"]', 'aliases.state = ["p o s t"]'],
        ['aliases.city = ["Põst"]', 'aliases.email = ["e"]\nbeside.email.state = ["post"]'],
    ],
)
def test_an_alias_of_two_fields_is_only_suggested(texts: list[str]) -> None:
    spellings = combine(tuple(read_language(str(number), text) for number, text in enumerate(texts)))
    assert "post" not in spellings.aliases
    assert spellings.suggestions["post"] in {"city", "state"}


class TestPackagedWords:
    @staticmethod
    def files() -> Iterator[Traversable]:
        yield from (packaged() / "headers").iterdir()

    def test_there_are_the_languages(self) -> None:
        names = {language.name for language in load_spellings().languages}
        asked = re.findall("..", "enesfrdeitptnlsvdanbfiplcstrrujazhkoar" + "elhehultthviro" + "uk")
        assert names == {*asked, "tools"}

    def test_no_word_is_an_alias_of_two_fields(self) -> None:
        owners = defaultdict[str, set[str]](set)
        for file in self.files():
            for field, words in tomllib.loads(file.read_text(encoding="utf-8"))["aliases"].items():
                for word in words:
                    owners[fold(word)].add(field)
        assert {word: found for word, found in owners.items() if len(found) > 1} == {}

    def test_no_alias_is_doubted_elsewhere(self) -> None:
        """What one language is sure of must not be a riddle in another."""
        aliases = load_spellings().aliases
        for language in load_spellings().languages:
            doubted = {**language.suggestions, **dict.fromkeys(language.beside, "")}
            assert {word for word, field in doubted.items() if aliases.get(word, field) != field} == set()

    def test_every_field_is_one_of_lead_that_imports_can_write(self) -> None:
        spellings = load_spellings()
        assert {field for field in spellings.aliases.values() if LEAD.is_read_only(field, "email")} == set()
        assert set(spellings.suggestions.values()) <= LEAD.fields.keys()

    def test_no_word_is_empty_or_repeats_a_name(self) -> None:
        spellings = load_spellings()
        words = {*spellings.aliases, *spellings.suggestions}
        assert words & {"", *LEAD.folded_names} == set()

    def test_companions_exist(self) -> None:
        for language in load_spellings().languages:
            meant = {
                field for word in (*language.aliases, *language.beside) for field in language.meanings(word)
            }
            for word, readings in language.beside.items():
                companions = {companion for named in readings.values() for companion in named}
                assert companions <= meant, f"{language.name}: {word}"

    def test_nothing_that_opts_out_is_a_single_doubtful_word(self) -> None:
        """Signed off may be from an event."""
        aliases = load_spellings().aliases
        assert (
            not {"optout", "abgemeldet", "afgemeld", "avmeldt", "unsubscribe", "desinscrit"} & aliases.keys()
        )

    def test_forty_fields_have_words(self) -> None:
        spellings = load_spellings()
        assert len({*spellings.aliases.values(), *spellings.suggestions.values()}) >= 40
