"""What users may rely on: the public modules, and the classes that they hold without an import.

The reference's pages are made from these lists, and `tests/public_api.txt` pins each name in them.
"""

MODULES = {
    "dobook": "The runtime, and what one does with it outside of a notebook.",
    "dobook.events": "What `runtime.trace()` returns: one class for each kind of event.",
    "dobook.web": "Requests, responses and the values around them.",
    "dobook.errors": "Every exception, the platform's among them.",
    "dobook.testing": "Fixtures for the tests of a project, and a machine for Hypothesis.",
    "dobook.patterns": "Classes to begin from, each ready to deploy.",
    "dobook.serve": "The server in front of a runtime.",
    "dobook.wrangler": "Wrangler's configuration, and deploying by it.",
    "dobook.project": "Python Workers projects, run as they are.",
    "dobook.export": "A notebook's classes as a project.",
    "dobook.lint": "What would not run on Cloudflare.",
    "workers": "What `from workers import …` gives.",
}

# A page's title: a sentence on it, and where each class is defined with what gives one.
HELD = {
    "ctx": (
        "What a Durable Object's constructor gets as `ctx`.",
        {"dobook.runtime.objects.context.DurableObjectState": "self.ctx"},
    ),
    "storage": (
        "An object's storage: rows by key, alarms, transactions, bookmarks of the past.",
        {
            "dobook.runtime.storage.storage.DurableObjectStorage": "self.ctx.storage",
            "dobook.runtime.storage.sync_kv.SyncKvStorage": "self.ctx.storage.kv",
            "dobook.runtime.storage.storage.DurableObjectTransaction": "storage.transaction(…)",
        },
    ),
    "sql": (
        "An object's SQLite database.",
        {
            "dobook.storage.sql.storage.SqlStorage": "self.ctx.storage.sql",
            "dobook.storage.sql.cursor.SqlStorageCursor": "sql.exec(…)",
        },
    ),
    "stub": (
        "What reaches an object: its class's namespace gives ids and stubs, a stub takes calls.",
        {
            "dobook.runtime.objects.namespace.DurableObjectNamespace": "env.COUNTER",
            "dobook.runtime.calls.stub.DurableObjectStub": 'env.COUNTER.getByName("a")',
            "dobook.runtime.worker.env.Env": "env",
        },
    ),
    "sockets": (
        "WebSockets: an object's side, and clients inside the runtime.",
        {
            "dobook.runtime.sockets.websocket.WebSocket": "ws",
            "dobook.runtime.client.Client": 'runtime.connect("CHAT/lobby")',
        },
    ),
    "faults": (
        "Faults on purpose.",
        {"dobook.runtime.debug.faults.Faults": "runtime.faults"},
    ),
    "insight": (
        "What a runtime tells about itself.",
        {
            "dobook.runtime.loop.loop.Clock": "runtime.clock",
            "dobook.runtime.debug.snapshots.ObjectSnapshot": "runtime.objects()",
            "dobook.runtime.debug.snapshots.AlarmSnapshot": "runtime.scheduled_alarms()",
            "dobook.runtime.debug.meter.Cost": "runtime.costs()",
            "dobook.observer.Observers": "runtime.observers",
            "dobook.runtime.worker.network.Network": "runtime.network",
        },
    ),
    "report": (
        "What exploring schedules has found.",
        {"dobook.explorer.report.Report": "dobook.explore(…)"},
    ),
}
