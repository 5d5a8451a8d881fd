"""dobook's magics, one file per family: each parses its line, calls the session, returns."""

from dobook.notebook.breaking.fault_magics import FaultMagics
from dobook.notebook.chat.socket_magics import SocketMagics
from dobook.notebook.classes.define_magics import DefineMagics
from dobook.notebook.classes.wrangler_magics import WranglerMagics
from dobook.notebook.clock.clock_magics import TimingMagics
from dobook.notebook.core.magic import MagicsBase
from dobook.notebook.limits.pattern_magics import PatternMagics
from dobook.notebook.overview.status_magics import StatusMagics
from dobook.notebook.races.explore_magics import ExploreMagics
from dobook.notebook.requests.request_magics import RequestMagics
from dobook.notebook.serving.serve_magics import ServingMagics
from dobook.notebook.sharing.export_magics import ShipMagics
from dobook.notebook.storage.storage_magics import StorageMagics
from dobook.notebook.timeline.trace_magics import TraceMagics

ALL: tuple[type[MagicsBase], ...] = (
    DefineMagics,
    WranglerMagics,
    RequestMagics,
    StorageMagics,
    TimingMagics,
    PatternMagics,
    FaultMagics,
    TraceMagics,
    ExploreMagics,
    SocketMagics,
    ServingMagics,
    ShipMagics,
    StatusMagics,
)

__all__ = ["ALL", "MagicsBase"]
