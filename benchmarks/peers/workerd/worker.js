// The objects of the workloads, and a driver that runs a workload inside the engine, so that the
// measured path is driver -> stub -> object -> storage with no HTTP client in it. ../../objects.py
// and ../../workloads.py are the same program for dobook.
import { DurableObject } from "cloudflare:workers";

const LIMIT = 10, WINDOW_MS = 60_000;
let alarmRuns = 0; // one isolate holds every object, so a module variable can count for all

export class Counter extends DurableObject {
  async fetch(request) {
    if (request.url.endsWith("/noop")) return new Response("0");
    return new Response(String(await this.increment()));
  }
  async increment() {
    const n = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return n;
  }
  async create(value) { await this.ctx.storage.put("k", value); }
}

export class Rpc extends DurableObject {
  add(a, b) { return a + b; }
}

export class Limiter extends DurableObject {
  async check() {
    const now = Date.now();
    const stamps = ((await this.ctx.storage.get("stamps")) ?? []).filter((t) => t > now - WINDOW_MS);
    if (stamps.length >= LIMIT) return false;
    stamps.push(now);
    await this.ctx.storage.put("stamps", stamps);
    return true;
  }
}

export class Lister extends DurableObject {
  async fill(keys, batch) {
    for (let i = 0; i < keys; i += batch) {
      const entries = {};
      for (let j = i; j < Math.min(i + batch, keys); j++)
        entries["k:" + String(j).padStart(6, "0")] = { i: j, s: "x".repeat(50) };
      await this.ctx.storage.put(entries);
    }
  }
  async scan(times, limit) {
    let seen = 0;
    for (let i = 0; i < times; i++) seen += (await this.ctx.storage.list({ prefix: "k:", limit })).size;
    return seen;
  }
}

export class Sql extends DurableObject {
  insert(rows) {
    const sql = this.ctx.storage.sql;
    sql.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v REAL, n INTEGER)");
    sql.exec("CREATE INDEX t_k ON t(k)");
    for (let i = 0; i < rows; i++)
      sql.exec("INSERT INTO t(id, k, v, n) VALUES (?, ?, ?, ?)", i, "key" + i, i * 0.5, i % 97);
  }
  select(times, rows) {
    let sum = 0;
    for (let i = 0; i < times; i++)
      sum += this.ctx.storage.sql.exec("SELECT * FROM t WHERE k = ?", "key" + ((i * 7919) % rows)).one().n;
    return sum;
  }
  aggregate(times) {
    let groups = 0;
    for (let i = 0; i < times; i++)
      groups += this.ctx.storage.sql
        .exec("SELECT n % 10 AS g, count(*) AS c, sum(v) AS s FROM t GROUP BY g").toArray().length;
    return groups;
  }
}

export class Ticker extends DurableObject {
  async start(period) {
    this.period = period;
    await this.ctx.storage.setAlarm(Date.now() + period);
  }
  async stop() {
    this.period = undefined;
    await this.ctx.storage.deleteAlarm();
  }
  async alarm() {
    alarmRuns++;
    if (this.period !== undefined) await this.ctx.storage.setAlarm(Date.now() + this.period);
  }
}

export class Room extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(_ws, message) {
    for (const peer of this.ctx.getWebSockets()) peer.send(message);
  }
}

/** n calls of call(i) from `width` closed-loop clients; returns the seconds and latencies (ms). */
async function drive(n, width, call) {
  const ms = [];
  let next = 0;
  const client = async () => {
    for (let i = next++; i < n; i = next++) {
      const t = Date.now();
      await call(i);
      ms.push(Date.now() - t);
    }
  };
  const t0 = Date.now();
  await Promise.all(Array.from({ length: width }, client));
  return { n, seconds: (Date.now() - t0) / 1000, ms };
}

/** n sequential calls; the clock has 1 ms steps, so latency is taken as the mean of each 100. */
async function sequential(n, call) {
  const ms = [];
  const t0 = Date.now();
  for (let i = 0; i < n; i += 100) {
    const t = Date.now();
    for (let j = 0; j < 100; j++) await call(i + j);
    ms.push((Date.now() - t) / 100);
  }
  return { n, seconds: (Date.now() - t0) / 1000, ms };
}

async function timed(n, call) {
  const t0 = Date.now();
  await call();
  return { n, seconds: (Date.now() - t0) / 1000, ms: [] };
}

const get = (ns, name) => ns.get(ns.idFromName(name));
const text = async (stub, path = "/") => (await stub.fetch("http://do" + path)).text();

const workloads = {
  async W1(env, { run, n, width }) {
    const stub = get(env.COUNTER, run + "hot");
    return drive(n, width, () => text(stub));
  },
  async W1seq(env, { run, n }) {
    const stub = get(env.COUNTER, run + "hot");
    return sequential(n, () => text(stub));
  },
  async W1rpc(env, { run, n, width }) {
    const stub = get(env.COUNTER, run + "hot");
    return drive(n, width, () => stub.increment());
  },
  async W1noop(env, { run, n, width }) {
    const stub = get(env.COUNTER, run + "hot");
    return drive(n, width, () => text(stub, "/noop"));
  },
  async W2(env, { run, n, width, objects }) {
    const stubs = Array.from({ length: objects }, (_, i) => get(env.COUNTER, run + i));
    return drive(n, width, (i) => text(stubs[i % objects]));
  },
  async W3(env, { run, n, width }) {
    return drive(n, width, (i) => get(env.COUNTER, run + i).create(i));
  },
  async W4(env, { run, n, width }) {
    const stub = get(env.RPC, run);
    return drive(n, width, (i) => stub.add(i, 1));
  },
  async W4seq(env, { run, n }) {
    const stub = get(env.RPC, run);
    return sequential(n, (i) => stub.add(i, 1));
  },
  async W5(env, { run, n, width, objects }) {
    const stubs = Array.from({ length: objects }, (_, i) => get(env.LIMITER, run + i));
    return drive(n, width, (i) => stubs[i % objects].check());
  },
  async W6put(env, { run, n }) {
    return timed(n, () => get(env.LISTER, run).fill(n, 128));
  },
  async W6list(env, { run, n, keys }) {
    const stub = get(env.LISTER, run);
    await stub.fill(keys, 128);
    return timed(n, () => stub.scan(n, 1000));
  },
  async W7insert(env, { run, n }) {
    return timed(n, () => get(env.SQL, run).insert(n));
  },
  async W7select(env, { run, n, rows }) {
    const stub = get(env.SQL, run);
    await stub.insert(rows);
    return timed(n, () => stub.select(n, rows));
  },
  async W7aggregate(env, { run, n, rows }) {
    const stub = get(env.SQL, run);
    await stub.insert(rows);
    return timed(n, () => stub.aggregate(n));
  },
  async W8(env, { run, objects, period, duration }) {
    const stubs = Array.from({ length: objects }, (_, i) => get(env.TICKER, run + i));
    await drive(objects, 100, (i) => stubs[i].start(period));
    const before = alarmRuns, t0 = Date.now();
    await new Promise((done) => setTimeout(done, duration));
    const out = { n: alarmRuns - before, seconds: (Date.now() - t0) / 1000, ms: [] };
    await drive(objects, 100, (i) => stubs[i].stop());
    return out;
  },
  async W9(env, { run, n, objects: clients }) {
    const stub = get(env.ROOM, run);
    let received = 0, done;
    const all = new Promise((resolve) => (done = resolve));
    const sockets = [];
    for (let i = 0; i < clients; i++) {
      const { webSocket } = await stub.fetch("http://do/ws", { headers: { Upgrade: "websocket" } });
      webSocket.accept();
      webSocket.addEventListener("message", () => { if (++received === n * clients) done(); });
      sockets.push(webSocket);
    }
    const out = await timed(n * clients, async () => {
      for (let i = 0; i < n; i++) sockets[0].send("message " + i);
      await all;
    });
    for (const socket of sockets) socket.close(1000, "done");
    return out;
  },
  async W10(env, { run, n, width }) {
    return drive(n, width, (i) => get(env.COUNTER, run + i).create(String(i).padStart(100, "x")));
  },
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith("/c/")) return get(env.COUNTER, url.pathname).fetch("http://do/");
    if (url.pathname === "/ws") return get(env.ROOM, url.search).fetch(request);
    const params = JSON.parse(url.searchParams.get("p"));
    const { n, seconds, ms } = await workloads[params.workload](env, params);
    ms.sort((a, b) => a - b);
    const at = (q) => (ms.length ? Math.round(ms[Math.floor(q * (ms.length - 1))] * 1000) : null);
    return Response.json({ n, seconds, p50_us: at(0.5), p99_us: at(0.99) });
  },
};
