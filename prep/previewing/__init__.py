"""What an import would change in the instance, looked up before it, and the way back.

`questions.py` says what is asked, `asking.py` asks it, `answers.py` keeps what was answered, `comparing.py`
puts rows and people side by side, `restoring.py` makes the run folder that puts people back; `making.py` is
the course of it all.
"""

from prep.previewing.asking import Budget
from prep.previewing.making import MOST_LINES, Work, make_preview, refuse_unless_new
from prep.previewing.questions import Estimate

__all__ = [
    "MOST_LINES",
    "Budget",
    "Estimate",
    "Work",
    "make_preview",
    "refuse_unless_new",
]
