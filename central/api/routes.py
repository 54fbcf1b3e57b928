"""Central's route table: everything it answers beside health, documents and pages."""

from shared.web.alert_routes import ALERT_ROUTES
from shared.web.asset_routes import ASSET_ROUTES
from shared.web.auth_routes import AUTH_ROUTES
from shared.web.gap_routes import GAP_ROUTES
from shared.web.routes import Route
from shared.web.sockets import FEEDS
from shared.web.sync_routes import SYNC_ROUTES
from shared.web.telemetry_routes import TELEMETRY_ROUTES

ROUTES: tuple[Route, ...] = (
    *AUTH_ROUTES,
    *ASSET_ROUTES,
    *ALERT_ROUTES,
    *TELEMETRY_ROUTES,
    *SYNC_ROUTES,
    *GAP_ROUTES,
)
SOCKETS = FEEDS
