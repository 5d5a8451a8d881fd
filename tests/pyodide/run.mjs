// Runs a Python program with dobook in Pyodide: node run.mjs PYODIDE_FOLDER DOBOOK_FOLDER PROGRAM
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideFolder, dobookFolder, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodideFolder, "pyodide.mjs")));
const pyodide = await loadPyodide();

function copy(from, to) {
  pyodide.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    if (entry.name === "__pycache__") continue;
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) copy(source, `${to}/${entry.name}`);
    else pyodide.FS.writeFile(`${to}/${entry.name}`, fs.readFileSync(source));
  }
}

copy(dobookFolder, "/packages/dobook");
pyodide.runPython("import sys; sys.path.insert(0, '/packages')");
await pyodide.runPythonAsync(fs.readFileSync(program, "utf8"));
