"""Marketo's published numbers, each with the page that states it.

The sandbox holds its own copy, typed in a second time; a test compares both.
"""

from typing import Final

MAX_BODY_BYTES: Final = 10_000_000
"""Default bound of a whole multipart body. The documentation says "10 MB" without saying which kind,
and means the body: the decimal reading is safe under both.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import"""

MAX_BODY_BYTES_CEILING: Final = 10 * 1024 * 1024
"""The binary reading of the same limit: nothing above it can ever be accepted."""

JOBS_RUNNING: Final = 2
"""Jobs that are processed at the same time.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-import"""

JOBS_QUEUED: Final = 10
"""Jobs in the queue, the running ones included; one more is refused with code 1016. Same page."""

BATCH_ID_DAYS: Final = 7
"""Days for which a batch id answers. Same page."""

POLL_SECONDS: Final = (5, 30)
"""Shortest and longest advisable pause between two status calls. Same page."""

TOKEN_SECONDS: Final = 3600
"""Life of an access token.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/authentication"""

CALLS_PER_WINDOW: Final = 100
"""Calls that an instance takes in each window, from all its integrations together.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/marketo-integration-best-practices"""

CALL_WINDOW_SECONDS: Final = 20
"""Length of that window. Same page."""

CALLS_CONCURRENT: Final = 10
"""Calls that an instance takes at the same time. Same page."""

OWN_CALLS_PER_WINDOW: Final = 50
"""Our share of the window: half, as the same page advises."""

DAILY_CALLS: Final = 50_000
"""Calls a day that most subscriptions have, for all integrations together; Marketo tells nobody which number
is theirs. Same page."""

PREVIEW_CALLS: Final = 5_000
"""Calls that a preview makes at most, unless told otherwise: a tenth of the usual quota of a day."""

LOOKUP_KEYS: Final = 300
"""Values that one look-up of leads takes.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/leads"""

STRING_CHARACTERS: Final = 255
"""Longest value of a string field that declares no length.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""

TEXT_BYTES: Final = 30_000
"""Longest value of a text field, in bytes of UTF-8. Same page."""
