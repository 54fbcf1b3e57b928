"""When an edge is ready to do its work: it reads the broker and its log takes what it reads.

Central is no condition: the site works alone. Without a broker the edge goes on serving what it
has; not being ready says that nothing new comes in, and why.
"""

from edge.ingest.intake import Intake
from edge.ingest.mqtt import LinkStage, MqttReader
from edge.log.journal import Journal
from shared.web.site_data import ReadinessCheck


def log_readiness(intake: Intake, journal: Journal) -> ReadinessCheck:
    """Return the check that the log takes samples."""

    async def check() -> str | None:
        return intake.load.trouble or journal.state().refusing

    return check


def broker_readiness(reader: MqttReader) -> ReadinessCheck:
    """Return the check that the edge is subscribed at the broker."""

    async def check() -> str | None:
        link = reader.link
        if link.stage is LinkStage.CONNECTED:
            return None
        return f"{link.stage} at {link.address}" + (f": {link.error}" if link.error else "")

    return check
