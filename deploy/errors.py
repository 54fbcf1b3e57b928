"""Errors of the site commands; each ends the command with one clear line."""

from shared.errors import HeadframeError


class SiteError(HeadframeError):
    """The site cannot start or go on; ``exit_code`` is what the command ends with."""

    code = "site"
    exit_code = 1


class SiteUsageError(SiteError):
    """A port, path, option or state directory that cannot be used; the message says which."""

    code = "site_usage"
    exit_code = 2
