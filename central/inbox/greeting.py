"""Does a HELLO fit: the certificate, the protocol, what the store holds. Pure."""

from central.inbox.events import EdgeIdentity
from central.inbox.ports import SessionGrant
from shared.sync.frames import PROTOCOL, PROTOCOL_OLDEST, Hello, RefuseCode, Role


def misfit(hello: Hello, identity: EdgeIdentity) -> tuple[RefuseCode, str] | None:
    """Return why ``hello`` cannot be from the edge of the certificate; None if it can."""
    named = EdgeIdentity(hello.site, hello.edge_id)
    if named != identity:
        return RefuseCode.BAD_IDENTITY, f"HELLO says {named}, the certificate says {identity}"
    if hello.protocol > PROTOCOL:
        detail = f"the edge speaks protocol {hello.protocol}, central speaks {PROTOCOL}: "
        detail += "upgrade central; until then the edge's log keeps everything"
        return RefuseCode.BAD_PROTOCOL, detail
    if hello.protocol < PROTOCOL_OLDEST:
        detail = f"the edge speaks protocol {hello.protocol}, central from {PROTOCOL_OLDEST} on: "
        detail += "upgrade the edge; until then its log keeps everything"
        return RefuseCode.BAD_PROTOCOL, detail
    return None


def held_beyond(hello: Hello, grant: SessionGrant) -> str | None:
    """Return what the store holds that the edge's log has never had; None if nothing.

    Such an edge was restored from an old image. It would give numbers to new batches that are
    taken by other batches here, so it must not go on under this epoch.

    Only what the connection serves is compared: what the other one has brought since this HELLO
    was written is beyond it and no sign of anything.
    """
    served = ((lane, held) for lane, held in grant.lanes.items() if hello.role.serves(lane))
    for lane, held in sorted(served):
        extent = hello.lanes.get(lane)
        last_seq = extent.last_seq if extent else 0
        if held.last is not None and held.last > last_seq:
            return f"lane {lane} is held up to {held.last}, the edge's log ends at {last_seq}"
    if hello.role is Role.URGENT:
        return None
    known, count = grant.series_known, hello.series_count
    return f"{known} series are known, the edge's log has {count}" if known > count else None
