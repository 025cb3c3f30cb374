"""An unofficial test double of Marketo's bulk lead import, over real HTTP on the loopback interface.

It was written from observed behaviour, is not made or endorsed by Adobe, and shares no code with the client
it tests. What Marketo leaves undocumented is a switch in `Behaviour`; what shall go wrong is a `Fault`.

    with Sandbox() as sandbox:
        requests.get(f"{sandbox.url}/identity/oauth/token", ...)
"""

from prep.sandbox.faults import Behaviour, Fault, FaultKind
from prep.sandbox.instance import Field
from prep.sandbox.jobs import Job
from prep.sandbox.leads import Outcome
from prep.sandbox.scenario import Scenario, load_scenario
from prep.sandbox.server import Sandbox, serve
from prep.sandbox.state import RequestRecord, RowRecord

__all__ = [
    "Behaviour",
    "Fault",
    "FaultKind",
    "Field",
    "Job",
    "Outcome",
    "RequestRecord",
    "RowRecord",
    "Sandbox",
    "Scenario",
    "load_scenario",
    "serve",
]
