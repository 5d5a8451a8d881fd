// Runs the recorder's program with Cloudflare's Python SDK in Pyodide:
//   node run.mjs PYODIDE_FOLDER SDK_FOLDER PROGRAM ROWS
// What the SDK talks to, workerd's JavaScript objects, are stand-ins here: just enough of a
// namespace, stubs, storage and a context to see what the SDK passes to them, and what it makes of
// their answers.
import fs from "node:fs";
import { load, offer } from "./pyodide.mjs";

const [pyodideFolder, sdkFolder, program, rows] = process.argv.slice(2);
const pyodide = await load(pyodideFolder, sdkFolder);

// What a value becomes on its way to another object. Functions travel as stubs, which can be called.
function carried(value) {
  if (typeof value === "function") return (...args) => Promise.resolve(value(...args.map(carried)));
  if (value instanceof DurableObjectId) throw new DOMException("could not be cloned", "DataCloneError");
  if (value instanceof Response || value instanceof Request) return value.clone();
  if (Array.isArray(value)) return value.map(carried);
  if (value != null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, carried(v)]));
  return structuredClone(value);
}

class DurableObjectId {
  constructor(name) { this.name = name; }
  toString() { return "0".repeat(60) + Buffer.from(this.name).toString("hex").slice(0, 4).padStart(4, "0"); }
  equals(other) { return this.name === other.name; }
}

class DurableObjectTransaction {
  constructor(storage) { this.storage = storage; }
  async get(key) { return this.storage.get(key); }
  async put(key, value) { return this.storage.put(key, value); }
  async delete(key) { return this.storage.delete(key); }
}

class DurableObjectStorage {
  constructor() { this.rows = new Map(); this.alarm = null; }
  async get(key) {
    if (Array.isArray(key)) return new Map(key.filter((k) => this.rows.has(k)).map((k) => [k, this.rows.get(k)]));
    return structuredClone(this.rows.get(key));
  }
  async put(key, value, options) {
    if (typeof key === "string") this.rows.set(key, structuredClone(value));
    else for (const [k, v] of Object.entries(key)) this.rows.set(k, structuredClone(v));
  }
  async delete(key) { return this.rows.delete(key); }
  async list(options = {}) {
    let keys = [...this.rows.keys()].sort();
    if (options.prefix !== undefined) keys = keys.filter((k) => k.startsWith(options.prefix));
    if (options.reverse) keys.reverse();
    return new Map(keys.slice(0, options.limit).map((k) => [k, this.rows.get(k)]));
  }
  async getAlarm() { return this.alarm; }
  async setAlarm(time) { this.alarm = Number(time); }
  async deleteAlarm() { this.alarm = null; }
  async transaction(closure) { return await closure(new DurableObjectTransaction(this)); }
  transactionSync(closure) { return closure(); }
}

class DurableObjectState {
  constructor(name) { this.id = new DurableObjectId(name); this.storage = new DurableObjectStorage(); this.waiting = []; }
  waitUntil(promise) { this.waiting.push(Promise.resolve(promise).catch(() => null)); }
  abort(reason) { this.aborted = String(reason); }
  async blockConcurrencyWhile(closure) { return await closure(); }
  acceptWebSocket(socket, tags) { if (tags !== undefined && !Array.isArray(tags)) throw new TypeError("tags is not an array"); }
}

// workerd's glue between its events and a Python object, as its src/pyodide/python-entrypoint-helper.ts
// and src/pyodide/internal/introspection.py have it: there is a function for every name; what the
// object does not have is refused when it is called.
class DurableObject {
  constructor(kind, id) {
    return new Proxy(this, {
      get(target, property) {
        if (property === "constructor") return DurableObject;
        if (property === "then" || typeof property !== "string") return undefined;
        if (property === "id") return id;
        if (property === "name") return id.name;
        if (property === "fetch") return async (...args) => (await instance(kind, id)).call("fetch", true, [new Request(...args)]);
        return async (...args) => carried(await (await instance(kind, id)).call(property, false, args.map(carried)));
      },
    });
  }
}

class DurableObjectNamespace {
  constructor(kind) { this.kind = kind; }
  getByName(name) { return new DurableObject(this.kind, new DurableObjectId(name)); }
  idFromName(name) { return new DurableObjectId(name); }
  get(id) { return new DurableObject(this.kind, id); }
  jurisdiction() { return this; }
}

class ExecutionContext {
  constructor(props) { this.props = props; }
  waitUntil() {}
}

// What `ctx.exports` has, which the SDK hands on as it is: each call of an entrypoint makes an instance.
function member(kind, props, name) {
  const made = () => globalThis.makeInstance(kind, new ExecutionContext(props), environment);
  if (name === "fetch") return async (...args) => {
    const result = await globalThis.callMethod(true, made(), name, new Request(...args));
    return result?.js_object ?? result;
  };
  return async (...args) => carried(await globalThis.callMethod(false, made(), name, ...args.map(carried)));
}
const isRemote = (name) => typeof name === "string" && name !== "then" && name !== "constructor";
const service = (kind, props) => new Proxy({}, {
  get: (target, name) => isRemote(name) ? member(kind, props, name) : Reflect.get(target, name),
});
const loopback = (kind) => new Proxy((options) => {
  if (typeof options !== "object" && typeof options !== "function") throw new TypeError("parameter 1 is not of type 'Options'");
  return service(kind, structuredClone(options?.props ?? {}));
}, { get: (target, name) => isRemote(name) ? member(kind, {}, name) : Reflect.get(target, name) });

globalThis.WebSocketPair = class { 0 = {}; 1 = {}; };

let objects = new Map();
let environment = {}, exported = {};
async function instance(kind, id) {
  const key = `${kind} ${id.name}`;
  if (!objects.has(key)) {
    const state = new DurableObjectState(id.name);
    state.exports = exported;
    const made = globalThis.makeInstance(kind, state, environment);
    objects.set(key, {
      made,
      async call(name, relaxed, args) {
        if (typeof made[name] !== "function") throw new TypeError(`Method ${name} does not exist`);
        const result = await globalThis.callMethod(relaxed, made, name, ...args);
        return result?.js_object ?? result;
      },
    });
  }
  return objects.get(key);
}
globalThis.begin = (kinds, entrypoints) => {
  objects = new Map();
  environment = Object.fromEntries([...kinds].map((kind) => [kind, new DurableObjectNamespace(kind)]));
  exported = { ...environment, ...Object.fromEntries([...entrypoints].map((kind) => [kind, loopback(kind)])) };
  environment.GREETING = "hello";
};
globalThis.firstOf = async (kind) => (await instance(kind, new DurableObjectId("a"))).made;

offer(pyodide, environment);
pyodide.globals.set("ROWS", fs.readFileSync(rows, "utf8"));
console.log(await pyodide.runPythonAsync(fs.readFileSync(program, "utf8")));
