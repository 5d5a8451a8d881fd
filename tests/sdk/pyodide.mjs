// Pyodide with Cloudflare's Python SDK in it, for the recorders of `tests/sdk` and `tests/turns`.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** Return Pyodide from its folder, with the SDK's modules in its file system. */
export async function load(pyodideFolder, sdkFolder) {
  const { loadPyodide } = await import(pathToFileURL(path.join(pyodideFolder, "pyodide.mjs")));
  const pyodide = await loadPyodide({ stderr: () => {} });
  const copy = (from, to) => {
    pyodide.FS.mkdirTree(to);
    for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
      const source = path.join(from, entry.name);
      if (entry.isDirectory()) copy(source, `${to}/${entry.name}`);
      else pyodide.FS.writeFile(`${to}/${entry.name}`, fs.readFileSync(source));
    }
  };
  copy(sdkFolder, "/sdk");
  process.on("unhandledRejection", () => {}); // of what a program does not await
  return pyodide;
}

/** Register the modules of workerd that the SDK imports, and let Python find the SDK. */
export function offer(pyodide, env) {
  pyodide.registerJsModule("_pyodide_entrypoint_helper", {
    patchWaitUntil() {},
    cloudflareWorkersModule: { env, waitUntil() {} },
    cloudflareSocketsModule: {},
    doAnImport: async (name) => { throw new Error(`no module ${name}`); },
  });
  pyodide.registerJsModule("_cloudflare_compat_flags", {});
  pyodide.runPython("import sys; sys.path.insert(0, '/sdk')");
}
