"""The Worker of a project, with what stands in front of it: static files, triggers, `request.cf`.

Source: developers.cloudflare.com/workers/testing/local-development/, …/static-assets/routing/
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from dobook.project.assets import AssetsFetcher
from dobook.runtime.access import kernel_of
from dobook.runtime.worker.worker import Worker
from dobook.web import Request, Response
from dobook.workers.js.objects import to_js_value

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

TRIGGERS = ("/cdn-cgi/handler/scheduled", "/cdn-cgi/local/scheduled", "/__scheduled")
# What the platform tells of a request; local runs of wrangler make it up too.
CF = {
    "asn": 395747,
    "asOrganization": "dobook",
    "city": "Austin",
    "clientAcceptEncoding": "gzip, deflate, br",
    "clientTcpRtt": 5,
    "colo": "DFW",
    "continent": "NA",
    "country": "US",
    "httpProtocol": "HTTP/1.1",
    "latitude": "30.27130",
    "longitude": "-97.74260",
    "metroCode": "635",
    "postalCode": "78701",
    "region": "Texas",
    "regionCode": "TX",
    "timezone": "America/Chicago",
    "tlsCipher": "AEAD-AES128-GCM-SHA256",
    "tlsVersion": "TLSv1.3",
}


class Front(Worker):
    """The entry Worker of a project.

    Args:
        runtime: The runtime it runs in.
        entry: As for `Worker`.
        assets: Its static files, if it has any.
        **options: As for `Worker`.
    """

    def __init__(
        self,
        runtime: "Runtime",
        entry: object,
        *,
        assets: AssetsFetcher | None = None,
        **options: Any,
    ) -> None:
        super().__init__(kernel_of(runtime), entry, **options)
        self._assets = assets

    async def respond(
        self, request: Request, entrypoint: str | None = None, props: object = None
    ) -> Response:
        """Return the answer of a file, of a trigger or of the Worker."""
        path = urlsplit(request.url).path
        if self._assets is not None:
            file = self._assets.before_worker(request)
            if file is None and not self.has("fetch"):
                file = self._assets.after_worker(request)
            if file is not None:
                return file._delivered(request.url, head=request.method == "HEAD")  # noqa: SLF001
        if path in TRIGGERS and self.has("scheduled"):
            return await self._triggered(request)
        if request.cf is None:
            request._cf = to_js_value(CF)  # noqa: SLF001 - nobody else has seen the request
        return await super().respond(request, entrypoint, props)

    async def _triggered(self, request: Request) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        cron = query.get("cron", [""])[0]
        at_ms = query.get("time") or query.get("scheduledTime")
        await self.scheduled(cron, int(at_ms[0]) if at_ms else None)
        return Response("ok")._delivered(request.url)  # noqa: SLF001
