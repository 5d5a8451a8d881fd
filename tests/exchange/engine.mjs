// The real engine on a state directory: reads one JSON request from standard input, answers with one line.
// {persist, root, calls: [{class, name, ops: [[op, argument, ...], ...]}, ...]} -> [[result, ...], ...]
// `persist` is Miniflare's durableObjectsPersist, `root` what wrangler makes of --persist-to.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/x.js`);
process.env.MINIFLARE_WORKERD_PATH = require("workerd").default; // newer than Miniflare's own
const { Miniflare, Log, LogLevel } = require("miniflare");

const worker = `
const binary = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function decode(json) {
  if (typeof json === "number" && (json | 0) === json && !Object.is(json, -0)) return json | 0;
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map(decode);
  const [tag] = Object.keys(json);
  const arg = json[tag];
  switch (tag) {
    case "$date": return new Date(arg);
    case "$bytes": return binary(arg);
    case "$map": { // without pairs: V8 turns the 1 in [1, 2.5] into a double, and writes it as one
      const map = new Map();
      for (const pair of arg) map.set(decode(pair[0]), decode(pair[1]));
      return map;
    }
    case "$set": return new Set(arg.map(decode));
    case "$bigint": return BigInt(arg);
    case "$num": return arg === "-0" ? -0 : Number(arg);
    case "$self": { const self = decode(arg); self.self = self; return self; }
    case "$twice": { const shared = decode(arg); return [shared, shared]; }
    case "$view": return new globalThis[arg[0]](binary(arg[1]).buffer);
    default: return Object.fromEntries(Object.entries(json).map(([k, v]) => [k, decode(v)]));
  }
}

function encode(value, seen = []) {
  if (value === undefined) return { $undefined: true };
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value === "number") {
    if (Number.isFinite(value)) return Object.is(value, -0) ? { $num: "-0" } : value;
    return { $num: String(value) };
  }
  if (seen.includes(value)) return { $cycle: seen.length - 1 - seen.indexOf(value) };
  const sub = (v) => encode(v, [...seen, value]);
  if (Array.isArray(value)) return value.map(sub);
  if (value instanceof Date) return { $date: value.getTime() };
  if (value instanceof Map) return { $map: [...value].map(([k, v]) => [sub(k), sub(v)]) };
  if (value instanceof Set) return { $set: [...value].map(sub) };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value)
      : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { $bytes: btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join("")) };
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, sub(v)]));
}

class Box {
  constructor(ctx) { this.storage = ctx.storage; }
  async fetch(request) {
    const results = [];
    for (const [op, ...args] of await request.json()) results.push(await this.run(op, args));
    return Response.json(results);
  }
  async run(op, args) {
    switch (op) {
      case "put": await this.storage.put(args[0], decode(args[1])); return null;
      case "delete": return this.storage.delete(args[0]);
      case "list": return [...await this.storage.list()].map(([k, v]) => [k, encode(v)]);
      case "sql": return encode([...this.storage.sql.exec(args[0], ...args.slice(1).map(decode)).raw()]);
      case "setAlarm": await this.storage.setAlarm(args[0]); return null;
      case "getAlarm": return this.storage.getAlarm();
      case "until": // an alarm has run
        for (let i = 0; i < 200 && !(await this.storage.get(args[0])); i++)
          await new Promise((done) => setTimeout(done, 50));
        return encode(await this.storage.get(args[0]));
    }
  }
  async alarm() { await this.storage.put("ran", true); }
}
export class SqliteBox extends Box {}
export class KvBox extends Box {}
export default {
  async fetch(request, env) {
    const results = [];
    for (const { class: kind, name, ops } of await request.json()) {
      const stub = env[kind].get(env[kind].idFromName(name));
      const answer = await stub.fetch("http://box/", { method: "POST", body: JSON.stringify(ops) });
      if (!answer.ok) throw new Error(await answer.text());
      results.push(await answer.json());
    }
    return Response.json(results);
  },
};`;

const { persist, root, calls, kill } = JSON.parse(fs.readFileSync(0, "utf8"));
const engine = new Miniflare({
  name: "exchange",
  modules: true,
  script: worker,
  compatibilityDate: "2026-04-26",
  durableObjects: {
    SqliteBox: { className: "SqliteBox", useSQLite: true },
    KvBox: { className: "KvBox", useSQLite: false },
  },
  ...(persist && { durableObjectsPersist: persist }),
  ...(root && { defaultPersistRoot: root }),
  log: new Log(LogLevel.NONE),
  handleRuntimeStdio: (out, err) => { out.resume(); err.pipe(process.stderr); },
});
const answer = await engine.dispatchFetch("http://x/", { method: "POST", body: JSON.stringify(calls) });
console.log(await answer.text());
if (!kill) await engine.dispose(); // otherwise the caller ends us all
