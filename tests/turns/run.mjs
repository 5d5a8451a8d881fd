// Runs programs with Cloudflare's Python SDK in Pyodide and prints their logs:
//   node run.mjs PYODIDE_FOLDER SDK_FOLDER PROGRAM PROGRAMS
// workerd's JavaScript objects are stand-ins here whose promises resolve after as many microtasks as
// workerd's do (counted there: 3 for storage, 2 for getAlarm, and the event loop for the rest).
import fs from "node:fs";
import { load, offer } from "../sdk/pyodide.mjs";

const [pyodideFolder, sdkFolder, program, programs] = process.argv.slice(2);
const pyodide = await load(pyodideFolder, sdkFolder);

// Pyodide runs each of asyncio's callbacks by a MessageChannel where there is one; Node takes
// setImmediate. workerd delivers a message in a microtask (src/workerd/api/messagechannel.c++).
const task = globalThis.setImmediate;
globalThis.setImmediate = queueMicrotask;

const microtasks = (count, value) => {
  let promise = Promise.resolve(value);
  for (let i = 1; i < count; i++) promise = promise.then((v) => v);
  return promise;
};
const eventLoop = () => new Promise((done) => task(done));
const run = async (closure, ...args) => { await eventLoop(); const value = await closure(...args); await eventLoop(); return value; };

class DurableObjectTransaction {}
class DurableObjectStorage {
  get(key) { return microtasks(3, Array.isArray(key) ? new Map() : undefined); }
  put() { return microtasks(3); }
  delete() { return microtasks(3, false); }
  list() { return microtasks(3, new Map()); }
  deleteAll() { return microtasks(3); }
  getAlarm() { return microtasks(2, null); }
  setAlarm() { return microtasks(3); }
  deleteAlarm() { return microtasks(3); }
  sync() { return eventLoop(); }
  transaction(closure) { return run(closure, new DurableObjectTransaction()); }
}
class DurableObjectState {
  storage = new DurableObjectStorage();
  waitUntil(promise) { Promise.resolve(promise).catch(() => null); }
  blockConcurrencyWhile(closure) { return run(closure); }
}
class DurableObject { async echo(value) { await eventLoop(); await eventLoop(); return value; } }
class DurableObjectNamespace { getByName() { return new DurableObject(); } }
globalThis.newState = () => new DurableObjectState();
globalThis.newEnv = () => ({ F: new DurableObjectNamespace() });

offer(pyodide, {});
pyodide.runPython(fs.readFileSync(program, "utf8"));
const make = pyodide.runPython(`
import js
from pyodide.ffi import create_proxy, to_js
def make():
    made = F(js.newState(), js.newEnv())
    return create_proxy(made)
make`);
for (const one of JSON.parse(fs.readFileSync(programs, "utf8"))) {
  const made = make();
  await made.run("A", pyodide.toPy(one));
  await new Promise((done) => setTimeout(done, JSON.stringify(one).match(/timer|wait/) ? 700 : 100));
  const log = await made.take();
  console.log(JSON.stringify(log.toJs()));
  made.destroy();
}
process.exit(0);
