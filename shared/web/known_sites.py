"""Which site a request is about. Owns the rule for ``?site=`` and for what does not exist here."""

from shared.access.accounts import ALL_SITES
from shared.access.tokens import Principal
from shared.clock import Clock
from shared.errors import ApiError, invalid_field
from shared.web.site_data import SiteReader

REFRESH_AFTER_S = 5.0  # a new site is rare; a request about an unknown one asks again at once
UNKNOWN_SITE_REFRESH_S = 1.0  # but not more often than this, whoever asks for what


class KnownSites:
    """The sites that are served here, remembered for a moment.

    ``home_site`` is set at an edge: it serves that site and no other.
    """

    def __init__(self, reader: SiteReader, clock: Clock, home_site: str | None = None) -> None:
        self._reader = reader
        self._clock = clock
        self._home_site = home_site
        self._sites: tuple[str, ...] = () if home_site is None else (home_site,)
        self._read_at_s = float("-inf")

    async def resolve(self, principal: Principal, requested: str | None) -> str:
        """Return the site a request of ``principal`` is about.

        Raises:
            ApiError: 404 for a site that is not served here or is none of the account's, without
                saying which; 400 if none was named and there are several.
        """
        if requested is not None:
            if await self.may_see(principal, requested):
                return requested
            raise ApiError(404, f"no site {requested!r}")
        visible = await self.visible(principal)
        if len(visible) == 1:
            return visible[0]
        if not visible:
            raise ApiError(404, "this account has no site here")
        raise invalid_field("site", f"is required, one of: {', '.join(visible)}")

    async def may_see(self, principal: Principal, site: str) -> bool:
        """Tell whether ``site`` is served here and one of the account's."""
        if site in principal.sites and self._home_site is None:
            return True  # named in the account: exists, even before its first data
        if site not in principal.sites and ALL_SITES not in principal.sites:
            return False
        return site in self._sites or site in await self._known(UNKNOWN_SITE_REFRESH_S)

    async def visible(self, principal: Principal) -> tuple[str, ...]:
        """Return the sites of the account that are served here, ascending."""
        if ALL_SITES in principal.sites:
            return await self._known(REFRESH_AFTER_S)
        if self._home_site is None:
            return tuple(sorted(principal.sites))
        return tuple(site for site in principal.sites if site == self._home_site)

    async def _known(self, refresh_after_s: float) -> tuple[str, ...]:
        now_s = self._clock.monotonic_s()
        if self._home_site is None and now_s - self._read_at_s >= refresh_after_s:
            self._sites = tuple(await self._reader.sites())
            self._read_at_s = now_s
        return self._sites
