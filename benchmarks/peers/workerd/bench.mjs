// Runs the workloads of ../../README.md on the real engine and prints one JSON line for each run.
// `python -m benchmarks --vs workerd` copies it beside the packages it needs and calls it; by hand:
//
//   node bench.mjs [--system workerd] [--workloads W1,W2] [--repeat 1] [--directory DIR]
//   node bench.mjs --system NAME --server PORT --pid PID --workloads W9net,W11hot,W11spread
//
// The second form is the client of somebody else's server on loopback, one that answers
// GET /c/NAME with the counter called NAME and upgrades /ws into the chat room.
//
// Systems: workerd        raw `workerd serve`, objects on disk (the fairest peer)
//          workerd-tmpfs  the same with its directory in /dev/shm: what is left when fsync is free
//          workerd-mem    the same with in-memory storage (no SQLite, so no W7)
//          miniflare      Miniflare, objects on disk
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: args } = parseArgs({ options: {
  system: { type: "string", default: "workerd" },
  workloads: { type: "string" },
  repeat: { type: "string", default: "1" },
  server: { type: "string" },
  pid: { type: "string" },
  directory: { type: "string" }, // on the disk to measure
} });

const HERE = dirname(fileURLToPath(import.meta.url));
const COMPATIBILITY_DATE = "2026-01-01";
const CLASSES = ["Counter", "Rpc", "Limiter", "Lister", "Sql", "Ticker", "Room"];

const WORKLOADS = { // as in ../../parameters.py
  W1: { n: 20_000, width: 100, objects: 1 },
  W1seq: { n: 2_000, width: 1, objects: 1 },
  W1rpc: { n: 20_000, width: 100, objects: 1 },
  W1noop: { n: 20_000, width: 100, objects: 1 },
  W2: { n: 20_000, width: 100, objects: 1_000 },
  W3: { n: 5_000, width: 100, objects: 5_000 },
  W4: { n: 50_000, width: 100, objects: 1 },
  W4seq: { n: 20_000, objects: 1 },
  W5: { n: 20_000, width: 100, objects: 200 },
  W6put: { n: 10_000, objects: 1 },
  W6list: { n: 200, keys: 10_000, objects: 1 },
  W7insert: { n: 50_000, objects: 1 },
  W7select: { n: 5_000, rows: 50_000, objects: 1 },
  W7aggregate: { n: 100, rows: 50_000, objects: 1 },
  W8: { objects: 2_000, period: 100, duration: 10_000 },
  W9: { n: 50, objects: 200 },
  W9net: { n: 50, objects: 200 },
  W10: { n: 10_000, width: 100, objects: 10_000 }, // fewer on disk, if descriptors run out
  W11hot: { objects: 1, width: 50, duration: 10 },
  W11spread: { objects: 1_000, width: 50, duration: 10 },
};

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const output = (command, ...more) => spawnSync(command, more, { encoding: "utf8" }).stdout.trim();
const rssMb = (pid) => { // in MiB
  const status = `/proc/${pid}/status`;
  const kib = existsSync(status) ? +/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))[1]
    : +output("ps", "-o", "rss=", "-p", String(pid));
  return Math.round(kib / 102.4) / 10;
};
/** How many objects can be open at once: each on disk holds 3 descriptors (database, -wal, -shm). */
const mostObjects = () => {
  const limit = output("sh", "-c", "ulimit -Hn");
  return limit === "unlimited" ? Infinity : Math.floor((+limit - 2_000) / 3 / 1_000) * 1_000;
};

function capnp(port, directory) {
  const namespaces = CLASSES.map((c) => `(className = "${c}", uniqueKey = "${c}", enableSql = true)`);
  const bindings = CLASSES.map((c) => `(name = "${c.toUpperCase()}", durableObjectNamespace = "${c}")`);
  const disk = directory ? `(name = "disk", disk = (path = "${directory}", writable = true)),` : "";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${disk} (name = "main", worker = .bench)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const bench :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (${directory ? 'localDisk = "disk"' : "inMemory = void"}),
  bindings = [${bindings.join(", ")}],
);
`;
}

async function startWorkerd(directory) {
  const port = await freePort();
  const config = join(HERE, `.config-${process.pid}.capnp`); // beside worker.js, which it embeds
  writeFileSync(config, capnp(port, directory));
  const shell = 'ulimit -n $(ulimit -Hn); exec "$0" serve "$1"';
  const { default: binary } = (await import("workerd")).default; // where this platform's lies
  const child = spawn("sh", ["-c", shell, binary, config], { stdio: ["ignore", "inherit", "inherit"] });
  for (let i = 0; i < 200; i++) {
    await sleep(25);
    try { await (await fetch(`http://127.0.0.1:${port}/c/warm`)).text(); break; } catch {}
  }
  rmSync(config);
  if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`);
  return {
    port, pid: child.pid,
    stop: () => new Promise((done) => { child.once("exit", done); child.kill("SIGTERM"); }),
  };
}

async function startMiniflare(directory) {
  const { Miniflare } = await import("miniflare");
  const port = await freePort();
  const miniflare = new Miniflare({
    modules: true, script: readFileSync(join(HERE, "worker.js"), "utf8"), host: "127.0.0.1", port,
    compatibilityDate: COMPATIBILITY_DATE, durableObjectsPersist: directory, cf: false,
    durableObjects: Object.fromEntries(
      CLASSES.map((c) => [c.toUpperCase(), { className: c, useSQLite: true }])),
  });
  await miniflare.ready;
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  const pid = children.find((p) => readFileSync(`/proc/${p}/comm`, "utf8").startsWith("workerd"));
  return { port, pid, stop: () => miniflare.dispose() };
}

/** wrk against the counter behind the engine's own HTTP server; the durable path end to end. */
function wrk(port, { objects, width, duration }) {
  const script = join(tmpdir(), `wrk-${process.pid}.lua`);
  writeFileSync(script, `function request() return wrk.format("GET", "/c/" .. math.random(0, ${objects - 1})) end
function done(s, l, r) io.write(string.format("RESULT %d %f %f %f %d\\n", s.requests, s.duration / 1e6,
  l:percentile(50), l:percentile(99), s.errors.status + s.errors.timeout + s.errors.connect)) end\n`);
  const { stdout, error } = spawnSync("wrk", ["-t1", `-c${width}`, `-d${duration}s`, "-s", script,
    `http://127.0.0.1:${port}/`], { encoding: "utf8" });
  rmSync(script);
  if (error) throw new Error(`wrk is not installed: ${error.code}`);
  const [, n, seconds, p50, p99, errors] = /RESULT (\S+) (\S+) (\S+) (\S+) (\S+)/.exec(stdout);
  return { n: +n, seconds: +seconds, p50_us: Math.round(+p50), p99_us: Math.round(+p99), errors: +errors };
}

/** Clients over loopback sockets from this process; one of them sends, all receive. */
async function webSockets(port, { n, objects: clients }) {
  const { WebSocket } = await import("ws");
  const sockets = await Promise.all(Array.from({ length: clients }, () =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      socket.once("open", () => resolve(socket)).once("error", reject);
    })));
  let received = 0;
  const t0 = performance.now();
  await new Promise((done) => {
    for (const socket of sockets) socket.on("message", () => { if (++received === n * clients) done(); });
    for (let i = 0; i < n; i++) sockets[0].send("message " + i);
  });
  const seconds = (performance.now() - t0) / 1000;
  for (const socket of sockets) socket.close();
  return { n: n * clients, seconds, p50_us: null, p99_us: null };
}

/** Runs a workload in the driver of worker.js, inside the engine. */
async function drive(port, params) {
  const response = await fetch(`http://127.0.0.1:${port}/run?p=` + encodeURIComponent(JSON.stringify(params)));
  const body = await response.text();
  if (!response.ok) throw new Error(body.slice(0, 300));
  return JSON.parse(body);
}

async function once(system, workload) {
  const base = system === "workerd-tmpfs" ? "/dev/shm" : args.directory ?? tmpdir();
  const directory = mkdtempSync(join(base, "dobench-"));
  const engine = args.server ? { port: +args.server, pid: +args.pid, stop() {} }
    : system === "miniflare" ? await startMiniflare(directory)
    : await startWorkerd(system === "workerd-mem" ? null : directory);
  try {
    const params = { workload, run: "r", ...WORKLOADS[workload] };
    if (workload === "W10" && system !== "workerd-mem")
      params.n = params.objects = Math.min(params.n, mostObjects());
    const before = rssMb(engine.pid);
    let out;
    if (workload.startsWith("W11")) {
      for (let i = 0; i < params.objects; i++) // create
        await (await fetch(`http://127.0.0.1:${engine.port}/c/${i}`)).text();
      out = wrk(engine.port, params);
    } else if (workload === "W9net") out = await webSockets(engine.port, params);
    else out = await drive(engine.port, params);
    const line = {
      system, workload, n: out.n, objects: params.objects, seconds: +out.seconds.toFixed(3),
      ops_per_s: Math.round(out.n / out.seconds), p50_us: out.p50_us, p99_us: out.p99_us, rss_mb: rssMb(engine.pid),
    };
    if (out.errors) line.errors = out.errors;
    if (workload === "W10") {
      line.bytes_per_object = Math.round(((line.rss_mb - before) * 2 ** 20) / out.n);
      await sleep(15_000); // the engine evicts an object after 10 s without a request
      line.bytes_per_evicted_object = Math.round(((rssMb(engine.pid) - before) * 2 ** 20) / out.n);
    }
    return line;
  } finally {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

for (let i = 0; i < +args.repeat; i++)
  for (const workload of args.workloads?.split(",") ?? Object.keys(WORKLOADS))
    for (const system of args.system.split(",")) {
      try { console.log(JSON.stringify(await once(system, workload))); }
      catch (error) { console.log(JSON.stringify({ system, workload, error: String(error).slice(0, 300) })); }
    }
process.exit(0);
