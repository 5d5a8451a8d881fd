"""Shopping lists: one object for each, asked by the path."""

from urllib.parse import unquote, urlparse

from js import Object
from pyodide.ffi import to_js as _to_js
from workers import DurableObject, Response, WorkerEntrypoint


def to_js(value):
    """Return a dict as an object of JavaScript, not as a Map."""
    return _to_js(value, dict_converter=Object.fromEntries)


class ShoppingList(DurableObject):
    async def items(self):
        items = await self.ctx.storage.get("items")
        return items if items else []

    async def add(self, what, how_many=1):
        items = await self.items()
        items.append({"what": what, "how_many": how_many})
        await self.ctx.storage.put("items", to_js(items))
        self.ctx.storage.kv.put("changes", (self.ctx.storage.kv.get("changes") or 0) + 1)
        return len(items)

    async def summary(self):
        items = await self.items()
        return {
            "total": sum(item["how_many"] for item in items),
            "changes": self.ctx.storage.kv.get("changes"),
            "first": items[0].what if items else None,
        }


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        parts = urlparse(request.url).path.strip("/").split("/")
        if len(parts) < 2:
            return Response("Ask /<list>/add/<thing>, /<list>/show or /<list>/summary", status=400)
        name, action = parts[:2]
        stub = self.env.LISTS.get(self.env.LISTS.idFromName(name))
        if action == "add":
            return Response(f"{await stub.add(unquote(parts[2]))} on the list")
        if action == "show":
            items = await stub.items()
            return Response("\n".join(item.what for item in items) or "nothing")
        if action == "summary":
            return Response.json(await stub.summary())
        return Response("Not Found", status=404)
