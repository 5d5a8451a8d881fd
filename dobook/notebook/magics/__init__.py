"""dobook's magics, one file per family: each parses its line, calls the session, returns."""

from dobook.notebook.magics.base import MagicsBase
from dobook.notebook.magics.define import DefineMagics
from dobook.notebook.magics.explore import ExploreMagics
from dobook.notebook.magics.faults import FaultMagics
from dobook.notebook.magics.patterns import PatternMagics
from dobook.notebook.magics.request import RequestMagics
from dobook.notebook.magics.serving import ServingMagics
from dobook.notebook.magics.ship import ShipMagics
from dobook.notebook.magics.sockets import SocketMagics
from dobook.notebook.magics.status import StatusMagics
from dobook.notebook.magics.storage import StorageMagics
from dobook.notebook.magics.timing import TimingMagics
from dobook.notebook.magics.trace import TraceMagics
from dobook.notebook.magics.wrangler import WranglerMagics

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
