# ruff: noqa: E501, RUF001  (a table of names, whose letters look like others)
"""Reading as UTF-8 loses nothing, and no code page is taken for another in silence."""

import io
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.sources.encoding import TextEncoding, as_utf8, find_encoding, is_utf8
from tests.depth import examples

WESTERN = ("cp1252", "iso-8859-1", "iso-8859-15")
CODE_PAGES = {
    "western": (*WESTERN, "mac_roman", "cp850", "cp437"),
    "central": ("cp1250", "iso-8859-2", "cp852"),
    "turkish": ("cp1254", "iso-8859-9"),
    "baltic": ("cp1257", "iso-8859-13"),
    "russian": ("cp1251", "koi8-r", "iso-8859-5", "cp866"),
    "ukrainian": ("cp1251", "koi8-u", "iso-8859-5"),
    "bulgarian": ("cp1251", "iso-8859-5", "cp866"),
    "serbian": ("cp1251", "iso-8859-5"),
    "greek": ("cp1253", "iso-8859-7"),
    "hebrew": ("cp1255", "iso-8859-8"),
    "arabic": ("cp1256",),
    "vietnamese": ("cp1258",),
    "thai": ("cp874",),
    "japanese": ("cp932", "euc_jp"),
    "simplified": ("gb18030",),
    "traditional": ("big5",),
    "korean": ("cp949",),
}
HEADER = "First Name,Last Name,Company,City,Phone,Email"
# Language: code pages, header, names beyond ASCII, names in ASCII. None of this is what the decision knows by heart.
LEADS = {
    "de": (
        "western",
        "Vorname,Nachname,Firma,Straße,Telefon,E-Mail",
        (
            "Käthchen Bürgermeister Mühlhausen Rößler Döhring Schönfelder Lührs Jäckel Würfel Rösler "
            "Häußler Kübler Fränkel Pöhlmann Tränkner Eßlingen Bößneck Hüttenwerk Gebäudetechnik Übach "
            "Ährenfeld Öhringen Wölfel Jähnig Großpösna"
        ),
        "Detlef Sabine Uwe Petra Krause Vogel Kaiser Logistik Verwaltung",
    ),
    "fr": (
        "western",
        "Prénom,Nom,Société,Ville,Téléphone,Courriel",
        (
            "Cyprès Aurélien Océane Angélique Gaëtan Théodore Héloïse Perrière Beaupré Desmarêts Lagacé "
            "Thévenin Fréchette Boisclair-Frégeau Pâquet Drouët Guénette Mézières Besançon Vaudémont "
            "Forêt-Noire Façades Éditions Être Hérisson"
        ),
        "Luc Sylvie Pascal Dumas Perrin Marchand Immobilier Conseil",
    ),
    "es": (
        "western",
        "Nombre,Apellidos,Empresa,Población,Teléfono,Correo",
        (
            "Nicanor Sebastián Eugènia Amílcar Bartolomé Casimiro Inocêncio Avilés Carreño Escudé Logroño "
            "Marañón Villafañe Buñuel Peñalosa Cárdenas Bermúdez Bolaño Tolosá Cerámicas Química "
            "Jardinería Óptica Úbeda Ñíguez"
        ),
        "Pablo Marta Elena Vega Rubio Iglesias Talleres Transportes",
    ),
    "it": (
        "western",
        "Nome,Cognome,Società,Località,Telefono,Email",
        (
            "Bartolomè Verità Agostà Fioravantì Mulè Nicosìa Caffè Bontà Sanità Pasticceria-Bontà "
            "Viabilità Solidarietà Cantù Macchiè Rovitò"
        ),
        "Gianni Paola Luca Moretti Barbieri Fontana Officine Trasporti",
    ),
    "pt": (
        "western",
        "Nome,Sobrenome,Empresa,Município,Telefone,E-mail",
        (
            "Anastácio Bonifácio Damião Estêvão Otília Leocádia Aragão Botão Camarão Feijó Frazão "
            "Hespanhól Leão Mourão Quintão Seixão Amazônia Petrópolis Jundiaí Avaré Óbidos Mecânica "
            "Calçados Elétrica Irmãos"
        ),
        "Paulo Ana Rita Nunes Batista Dias Comercio Transportadora",
    ),
    "nl": (
        "western",
        "Voornaam,Achternaam,Bedrijf,Plaats,Telefoon,E-mailadres",
        (
            "Daniëlle Michaëla Noël Coöperatief Geïsoleerd Reële Beëdigd Zeeën Financiën Hélène Knoöp "
            "Brontë Loïs Jozefiën"
        ),
        "Pieter Anneke Sanne Kuipers Postma Vermeulen Bouw Makelaardij",
    ),
    "sv": (
        "western",
        "Förnamn,Efternamn,Företag,Ort,Telefon,E-post",
        (
            "Göthe Hjördis Kjellåker Möller Ågren Östlund Hägerström Fröberg Häggström Lövgren Sjödin "
            "Tjärnberg Mörby Säffle Åmål Ängelholm Höganäs Byggföretag Trädgård Måleri"
        ),
        "Nils Karin Lars Blom Ek Dahl Bygg Konsult",
    ),
    "da": (
        "western",
        "Fornavn,Efternavn,Virksomhed,By,Telefon,E-mail",
        (
            "Frøydis Sverdrup Bjørge Ragnhild-Åsne Ørsted Skjærbæk Grønbæk Lykkegård Thøgersen Bæk "
            "Vestergård Brønnøysund Mosjøen Tårnby Gladsaxe Ølstykke Håndværk Tømrer Rådgivning Værksted"
        ),
        "Mads Ida Henrik Lund Dahl Holm Transport Byg",
    ),
    "fi": (
        "western",
        "Etunimi,Sukunimi,Yritys,Kaupunki,Puhelin,Sähköposti",
        (
            "Jäärä Tähti Hätönen Sääskilahti Pöyhönen Käyhkö Törmänen Sillanpää Ylä-Mononen Lääkäri "
            "Sähköasennus Kiinteistö Nöykkiö Pälkäne Mänttä Äetsä Jyrä"
        ),
        "Antti Sari Timo Salo Rinne Niemi Rakennus",
    ),
    "is": (
        "western",
        "Fornafn,Eftirnafn,Fyrirtæki,Borg,Sími,Netfang",
        (
            "Snæbjörn Þorgerður Hrafnhildur Ásdís Sæmundur Böðvar Njáll Gísli Guðlaugur Brynjólfsson "
            "Hallgrímsson Þorláksdóttir Húsavík Siglufjörður Neskaupstaður"
        ),
        "Anna Helga Birna Hansen",
    ),
    "pl": (
        "central",
        "Imię,Nazwisko,Firma,Miejscowość,Telefon,E-mail",
        (
            "Bartłomiej Zbyszko-Świętoń Wąsowski Brzęczyszczykiewicz Chrząszcz Gąsior Łoś Mączka "
            "Niedźwiedź Ociepień Pęksa Rżany Siwiński Truchanowiczówna Ździarski Żółtowski Leśniak "
            "Głowacka Pruszków Mińsk Będzin Żary Świecie Usługowo Meble-Dąb"
        ),
        "Adam Ewa Tomasz Zawadzki Sikora Baran Transport Auto",
    ),
    "cs": (
        "central",
        "Jméno,Příjmení,Firma,Město,Telefon,E-mail",
        (
            "Břetislav Květoslava Ctibor Vítězslav Ľubica Dobeš Hruška Chalupník Kadeřábek Landovský "
            "Machač Nezbeda Ondříček Přibyl Říha Slavíček Třeštík Uhlíř Vrběnský Zavřel Žáček Náchod "
            "Šumperk Český Těšín Truhlářství Účetnictví"
        ),
        "Pavel Jana Petr Kubin Marek Bohata Auto Servis",
    ),
    "sk": (
        "central",
        "Meno,Priezvisko,Spoločnosť,Mesto,Telefón,E-mail",
        (
            "Radoslav-Ľubor Ďuro Mišo Žigmund Števonka Hrnčiar Ježík Krajčír Ľupták Mlynárčik Podhradský "
            "Rybárik Sládkovič Ťažký Vráblik Žitňanský Galanta Snina Dolný Kubín Stavebníctvo Strojárne"
        ),
        "Peter Jana Martin Hudec Urban Auto",
    ),
    "hu": (
        "central",
        "Keresztnév,Vezetéknév,Cég,Város,Telefon,E-mail",
        (
            "Szabolcs Zsóka Örkény Dömötör Bűvös Gyűrű Bőhm Csőgör Fűzfő Hűvösvölgyi Kökény Lévai Őrsi "
            "Szörényi Tölgyesi Vörös Zsédely Ürömi Bükkábrány Körmend Mór Épületgépészet Kőműves Ügyvédi"
        ),
        "Gabor Anna Istvan Toth Szalay Kis Bolt Auto",
    ),
    "hr": (
        "central",
        "Ime,Prezime,Tvrtka,Grad,Telefon,E-pošta",
        (
            "Zvonimir Anđela Božidar Čedomir Ćiro Krešo Nikša Žarko Bračić Čolić Ćosić Dvoržak Đurašević "
            "Grubišić Hranilović Kušar Lončar Mlinarić Puškarić Škrinjarić Tkalčić Žanić Ćelić Šolta "
            "Prevozništvo Računovodstvo"
        ),
        "Ivana Ana Luka Vidak Radman Auto Servis",
    ),
    "ro": (
        "central",
        "Prenume,Nume,Companie,Oraş,Telefon,E-mail",
        (
            "Silviu-Ştefăniţă Aurică Dănuţ Floarea Iuliană Măricel Neluţu Păuniţa Sabău Tăriceanu Ţigănuş "
            "Văcărescu Zăvoianu Bălţatu Căprariu Frâncu Grădinariu Lăpuşneanu Rădăuţi Făgăraş Odorhei "
            "Câmpina Vânzări Reparaţii"
        ),
        "Elena Ion Maria Pop Marin Dima Auto",
    ),
    "tr": (
        "turkish",
        "Ad,Soyad,Şirket,Şehir,Telefon,E-posta",
        (
            "Ayşenur Batuhan-Çağatay Bünyamin Dilşad Gülbahar Hıdır Kıvanç Mücahit Nağme Öykü Rıdvan "
            "Şermin Tuğrulhan Ürün Yağmur Altınok Başoğlu Çiftçi Değirmenci Gündoğdu İnönü Kırmızıgül "
            "Özbağcı Sağlam Tekeli Beşiktaş Kadıköy Döşemealtı Kırtasiye"
        ),
        "Selin Deniz Kerem Kartal Soylu Oto",
    ),
    "lt": (
        "baltic",
        "Vardas,Pavardė,Įmonė,Miestas,Telefonas,El. paštas",
        (
            "Aistė Bronė Česlovas Dovilė Gintautė Jaunė Kotryna Lukrecija Mantė Neringa Rūtenis Skaistė "
            "Šarūnė Ugnė Žemyna Adomaitienė Bagdonavičius Čiurlionis Girdvainytė Juškevičienė Lukošiūnas "
            "Meškauskas Pabarčius Šalčininkai Zarasai-Dūkštas Varėna Statybų"
        ),
        "Lina Karolis Paulius Norkus Budrys Auto",
    ),
    "lv": (
        "baltic",
        "Vārds,Uzvārds,Uzņēmums,Pilsēta,Tālrunis,E-pasts",
        (
            "Aigars Brigitas-Māris Dāvis Elvīra Gatiņš Ģertrūde Ikars Jānītis Ķerubina Ļubova Ņikita "
            "Sarmīte Ūdris Žubīte Apsītis Brūvers Cīrulis Dūmiņš Ērglis Gulbītis Jaunzemis Krūze Lūsis "
            "Meķis Puriņa Skujiņš Viļāni Ķegums Būve"
        ),
        "Aija Janis Rolands Celms Grants Auto",
    ),
    "et": (
        "baltic",
        "Eesnimi,Perekonnanimi,Ettevõte,Linn,Telefon,E-post",
        (
            "Õilme Üllar Ärni Ööbik Jõekäär Kääpa Mõisa Nõmmik Põldmäe Rõõmus Sõber Tõruke Võrk Äripäev "
            "Kärdla Räpina Mustvee Šokolaad Žanna"
        ),
        "Anne Peeter Kalev Lill Rand Auto",
    ),
    "ru": (
        "russian",
        "Имя,Фамилия,Компания,Город,Телефон,Почта",
        (
            "Всеволод Агриппина Вениамин Глафира Ефросинья Захар Игнат Капитолина Мстислав Прохор Бобров "
            "Воронцов Гречкин Дроздов Епифанцев Жмыхов Зубков Ильюшин Кружков Лазарев Чехов Шаляпин Эфрос "
            "Ягужинский Сочи Мурманск Подольск Стройсервис Мебель"
        ),
        "Ivan Olga Trade Service",
    ),
    "uk": (
        "ukrainian",
        "Ім'я,Прізвище,Компанія,Місто,Телефон,Пошта",
        (
            "Всеволод Зіновій Їжачок Лук'ян Мар'яна Остап Соломія Стефанія Гайдай Гринюк Дзюба Євтушенко "
            "Іващук Клименко Лучків Нечипорук Пилипенко Стеценко Цюпа Яцків Бровари Ірпінь Конотоп Сільпо "
            "Будівництво"
        ),
        "Ivan Olga Trade",
    ),
    "bg": (
        "bulgarian",
        "Име,Фамилия,Фирма,Град,Телефон,Поща",
        (
            "Асен Боряна Венцислав Гинка Жечка Златка Крум Лъчезар Недялко Огнян Сийка Тъпчо Цеца Щерю "
            "Юлиян Бояджиев Въжаров Гърбев Дойчинов Жабленски Къдрев Мечкаров Търговище Гоце Делчев "
            "Строймат"
        ),
        "Ivan Maria Trade",
    ),
    "sr": (
        "serbian",
        "Име,Презиме,Фирма,Град,Телефон,Пошта",
        (
            "Бранко Вукашин Гвозден Ђурађ Живојин Иконија Љубомир Младенка Његоња Радојка Стевица Чедомир "
            "Џемал Аћимовић Бјеловук Вељковић Гаћиновић Ђукановић Жунић Кнежевић Љушић Мијатовић Њежић "
            "Ћурчић Шћекић Лозница Пирот"
        ),
        "Ivan Maria",
    ),
    "el": (
        "greek",
        "Όνομα,Επώνυμο,Εταιρεία,Πόλη,Τηλέφωνο,Email",
        (
            "Λεωνίδας Αριστοτέλης Βαρβάρα Δέσποινα Ευστάθιος Θωμάς Ιφιγένεια Καλλιόπη Μελπομένη Ουρανία "
            "Πηνελόπη Τιμόθεος Φίλιππος Ώρα Άκης Έφη Ήβη Αρβανίτης Βρεττός Γκίκας Ζερβός Ιακώβου Λιάπης "
            "Ντόκος Πλάτων Τζώρτζης Ψαράς Σπάρτη Δράμα"
        ),
        "Maria Hellas",
    ),
    "he": (
        "hebrew",
        "שם פרטי,שם משפחה,חברה,עיר,טלפון,אימייל",
        (
            "גדעון זהבה חגית טובה יפתח כוכבה לירון מתן ניצן סיוון עדנה פרידה צביקה קובי שולמית אברמוב "
            "בוזגלו גרוסמן דרור הורוביץ ויצמן זיו חורי טייב ינאי כרמי לביא מנדל נוימן סבן עזרא פינטו צדוק "
            "קדוש רייך שגב דימונה קריית אתא"
        ),
        "Maria Dan",
    ),
    "ar": (
        "arabic",
        "الاسم,اللقب,الشركة,المدينة,الهاتف,البريد",
        (
            "إلياس بشير تهاني ثامر جابر حليمة خلود دانة ذياب رزان زكريا سهيل شهد صفية طه ظبية عفاف غازي "
            "فوزية قيس كوثر لؤي مازن نسرين هيثم وسام يزن البغدادي الخوري الزين السقا العلي الفهد الكردي "
            "حمص نجران صلالة للاستشارات"
        ),
        "Maria Ali",
    ),
    "vi": (
        "vietnamese",
        "Họ,Tên,Công ty,Thành phố,Điện thoại,Email",
        (
            "Bảo Cường Diễm Đông Hiển Kiều Lệ Mến Nghĩa Oanh Phụng Quyên Sửu Thức Tuyền Vượng Xuyến Ý Âu "
            "Bế Chử Doãn Giáp Hứa Khổng Lục Mạc Nghiêm Ông Phùng Thạch Tống Viên Cà Mau Sóc Trăng Rạch "
            "Giá Vật liệu"
        ),
        "Nam Minh Anh",
    ),
    "th": (
        "thai",
        "ชื่อ,นามสกุล,บริษัท,จังหวัด,โทรศัพท์,อีเมล",
        (
            "กาญจนา เกรียงไกร ขวัญใจ คมสัน จารุวรรณ ชลธิชา ณรงค์ ดวงใจ ทวีศักดิ์ ธิดา นงลักษณ์ บัญชา "
            "ปรีชา ผกา พงศกร เพ็ญศรี ภาณุ มนตรี ยุพา รัชนี ละเอียด วาสนา สายฝน อมร เอกชัย ตรัง น่าน เลย "
            "ร้านอาหาร"
        ),
        "Nam Siam",
    ),
    "ja": (
        "japanese",
        "名,姓,会社名,市区町村,電話番号,メール",
        "竜也 菜々子 慎吾 沙織 隼人 瑠璃 勝彦 節子 航 みゆき 黒田 松尾 浅野 樋口 桜井 関口 滝沢 堀内 馬場 矢野 弘前市 倉敷市 宇都宮 つくば アルファ工房 ニッポン物産 みどり会計",
        "Tokyo",
    ),
    "zh-Hans": (
        "simplified",
        "名字,姓氏,公司,城市,电话,邮箱",
        "美玲 思远 春花 德胜 永福 振东 嘉欣 俊杰 雨桐 诗琪 庄 施 柯 欧阳 上官 司马 诸葛 温州 烟台 珠海 洛阳 绍兴 宏达商贸 天马旅游 蓝海投资 明珠酒店",
        "Beijing",
    ),
    "zh-Hant": (
        "traditional",
        "名字,姓氏,公司,城市,電話,信箱",
        "思源 春嬌 德勝 永福 振東 嘉欣 俊傑 雨桐 詩琪 曉雯 莊 施 柯 歐陽 上官 司馬 諸葛 宜蘭 頭份 鹿港 斗南 草屯 宏達商行 天馬旅遊 藍海投資 明珠飯店",
        "Taipei",
    ),
    "ko": (
        "korean",
        "이름,성,회사,도시,전화,이메일",
        "가람 나래 다솜 라온 마루 병호 상호 용태 창민 태양 하늘 효정 금순 기범 두리 만복 봉수 갈 견 국 단 돈 편 평택시 군산시 안동시 김천시 한빛유통 새롬기획 대성정밀",
        "Seoul",
    ),
}
COMMON_WESTERN = ("de", "fr", "es", "it", "pt", "nl", "sv", "da", "fi")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.csv"


def lead_file(
    language: str, code_page: str, rows: int, *, telling: int | None = None, seed: int = 0
) -> bytes:
    """A file whose names are all in the language, or in ASCII but for `telling` of them."""
    _, header, names, plain = LEADS[language]
    choice = random.Random(f"{language} {code_page} {rows} {telling} {seed}")  # noqa: S311
    known = [name for name in names.split() if can_encode(name, code_page)]
    if telling is None:
        cells = [choice.choice(known if choice.random() < 0.6 else plain.split()) for _ in range(3 * rows)]
    else:
        cells = [choice.choice(plain.split()) for _ in range(3 * rows)]
        for place, name in zip(
            choice.sample(range(3 * rows), telling), choice.sample(known, telling), strict=True
        ):
            cells[place] = name
    lines = [header if telling is None else HEADER]
    for row in range(rows):
        first, last, company = cells[3 * row : 3 * row + 3]
        lines.append(f"{first},{last},{company},,{choice.randrange(10**8, 10**9)},p{row}@example.com")
    return encoded("\r\n".join(lines) + "\r\n", code_page)


def can_encode(text: str, code_page: str) -> bool:
    try:
        encoded(text, code_page)
    except UnicodeEncodeError:
        return False
    return True


def encoded(text: str, code_page: str) -> bytes:
    return (as_in_cp1258(text) if code_page == "cp1258" else text).encode(code_page)


def as_in_cp1258(text: str) -> str:
    """Vietnamese with its tones apart from the letters."""
    apart = ""
    for char in text:
        try:
            char.encode("cp1258")
        except UnicodeEncodeError:
            letter, *marks = list(unicodedata.normalize("NFD", char))
            shapes = [mark for mark in marks if mark in "\u0302\u0306\u031b"]
            tones = [mark for mark in marks if mark not in shapes]
            apart += unicodedata.normalize("NFC", letter + "".join(shapes)) + "".join(tones)
        else:
            apart += char
    return apart


def verdict(path: Path, content: bytes, code_page: str) -> str:
    """`right`, `asked`, `noted` for a wrong reading that is told, `wrong` for one that is not."""
    path.write_bytes(content)
    try:
        encoding = find_encoding(str(path))
    except SourceError as error:
        assert error.code == "ambiguous_encoding"  # noqa: PT017
        return "asked"
    with path.open("rb") as file:
        text = as_utf8(file, encoding).read()
    if text == content.decode(code_page).encode():
        return "right"
    return "noted" if encoding.notes else "wrong"


def cases() -> Iterator[tuple[str, str]]:
    for language, (kind, *_) in LEADS.items():
        for code_page in CODE_PAGES[kind]:
            yield language, code_page


@pytest.mark.parametrize("rows", [10, 100])
def test_lead_files_of_every_language_are_read_right(path: Path, rows: int) -> None:
    verdicts = {case: verdict(path, lead_file(*case, rows), case[1]) for case in cases()}
    assert {case: found for case, found in verdicts.items() if found != "right"} == {}


@pytest.mark.parametrize("telling", [1, 2, 3])
def test_with_hardly_any_evidence_nothing_is_wrong_in_silence(path: Path, telling: int) -> None:
    counts: Counter[str] = Counter()
    for language, code_page in cases():
        found = verdict(path, lead_file(language, code_page, 20, telling=telling), code_page)
        assert found != "wrong", (language, code_page)
        counts[found] += 1
    assert counts["right"] > 0.5 * counts.total()


@pytest.mark.parametrize("language", COMMON_WESTERN)
def test_common_western_files_are_right_every_time(path: Path, language: str) -> None:
    for code_page in WESTERN:
        for telling, seed in ((1, 1), (1, 2), (2, 3), (3, 4)):
            content = lead_file(language, code_page, 20, telling=telling, seed=seed)
            assert verdict(path, content, code_page) == "right", (code_page, telling, seed)


CODECS = st.sampled_from(
    [
        "cp1252",
        "cp1250",
        "koi8-r",
        "cp932",
        "euc_jp",
        "gb18030",
        "big5",
        "cp949",
        "utf-16-le",
        "utf-16-be",
        "utf-32-le",
        "utf-32-be",
        "cp1258",
        "cp874",
        "iso2022_jp",
        "mac_roman",
        "utf-8",
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.text(max_size=40), CODECS)
def test_text_survives(text: str, codec: str) -> None:
    content = text.replace("\x1b", "").encode(codec, "ignore")  # iso2022_jp switches its sets with it
    file = as_utf8(io.BytesIO(content), TextEncoding(codec))
    assert file.read() == content.decode(codec).encode()


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.binary(max_size=8) | st.sampled_from(["é", "日", "я", "a,b"]), max_size=8), CODECS)
def test_broken_bytes_break_their_own_line_only(parts: list[bytes | str], codec: str) -> None:
    lines = [part if isinstance(part, bytes) else part.encode(codec, "ignore") for part in parts]
    line_end = "\r\n".encode(codec)
    content = line_end.join(lines) + line_end
    text = as_utf8(io.BytesIO(content), TextEncoding(codec)).read()
    assert is_utf8(text) == decodes(content, codec)
    assert text.decode("utf-8", "ignore") == content.decode(codec, "ignore") or codec == "utf-8"


def decodes(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        encoding = find_encoding(str(path))
    except SourceError as error:
        assert error.message.startswith(f"{path}: ")  # noqa: PT017
        return
    with path.open("rb") as file:
        as_utf8(file, encoding).read()
