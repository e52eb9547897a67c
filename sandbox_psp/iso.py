"""The fields of ISO 8583 that the three parties speak in, by their numbers, and the log of what was said.

Messages are dictionaries rather than bit maps; amounts have twelve digits, currencies are numeric.
"""

import json
from typing import Final

from sandbox_psp.work import Work

MTI: Final = "mti"
Message = dict[str, str]

PAN: Final = "2"
PROCESSING_CODE: Final = "3"
AMOUNT: Final = "4"
TRANSMITTED_AT: Final = "7"
STAN: Final = "11"
EXPIRY: Final = "14"
MERCHANT_CATEGORY: Final = "18"
ENTRY_MODE: Final = "22"
CONDITION: Final = "25"
ACQUIRER: Final = "32"
RRN: Final = "37"
APPROVAL_CODE: Final = "38"
RESPONSE_CODE: Final = "39"
MERCHANT: Final = "42"
AUTHENTICATION: Final = "48"
CURRENCY: Final = "49"

PURCHASE: Final = "000000"
CREDIT: Final = "200000"
APPROVED: Final = "00"

LARGEST_AMOUNT: Final = 999_999_999_999
"""Field 4 has twelve digits."""


def response_type(request: Message) -> str:
    """The type of the answer: 0110 to a 0100, 0230 to a 0220, 0410 to a 0400."""
    return f"{request[MTI][:2]}{int(request[MTI][2]) + 1}0"


def log(work: Work, *, request: Message, response: Message) -> None:
    """Keep both messages, the card number masked as a real switch must."""
    masked = {**request}
    if PAN in masked:
        masked[PAN] = f"{request[PAN][:6]}{'*' * (len(request[PAN]) - 10)}{request[PAN][-4:]}"
    work.db.execute(
        "INSERT INTO messages (at, rrn, request, response) VALUES (?, ?, ?, ?)",
        (work.now, request[RRN], json.dumps(masked), json.dumps(response)),
    )
