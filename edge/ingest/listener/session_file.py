"""The file in which publishers' sessions are kept over a restart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge.ingest.listener.session_book import KeptSession
from edge.log.layout import write_durably
from shared.logs import get_log

FILE_NAME: Final = "listener-sessions.json"

_log = get_log("listener")


class SessionFile:
    """One JSON file in the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / FILE_NAME

    def read(self) -> list[KeptSession]:
        """Return what was kept; nothing where there is no file, or none that can be read.

        Without it publishers are told that they have no session: what they have not seen answered
        some of them give up then, but nothing that was answered.
        """
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[KeptSession])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            _log.warning("publishers' sessions cannot be read", file=FILE_NAME, error=str(error))
            return []

    def write(self, kept: Sequence[KeptSession]) -> None:
        """Replace the file; LogError if that is not possible."""
        write_durably(self._file, msgspec.json.encode(kept))
