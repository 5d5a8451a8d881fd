// The object inspector; see inspector_view.py for the facts and for what the buttons do.

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const STATES = { running: "▶ running", idle: "● in memory, idle", evicted: "○ evicted", "not used yet": "◌ not used yet" };

function storageRow(row) {
  const size = row.bytes.toLocaleString("en");
  const field = row.edit === null ? row.text
    : row.type === "bool"
      ? h("select", { "data-do": "put", "data-row": row.key, "aria-label": `value of ${row.key}` },
        ["True", "False"].map((word) => h("option", { selected: row.edit === word }, word)))
      : h("input", { "data-do": "put", "data-row": row.key, value: row.edit, "aria-label": `value of ${row.key}`,
        size: Math.min(Math.max(row.edit.length + 2, 10), 48), disabled: row.type === "None", spellcheck: "false" });
  return { key: row.key + " " + row.type, cells: [row.key, field, row.type, size,
    button("remove", "✕", { "data-row": row.key, "aria-label": `delete ${row.key}`, title: "delete this row" })] };
}

function storage(facts) {
  const more = facts.keys - facts.rows.length;
  return part("Storage", facts.keys === 1 ? "1 key" : `${facts.keys.toLocaleString("en")} keys`, true,
    facts.rows.length > 0 && table("rows of storage", ["key", "value", "type", "bytes", ""], facts.rows.map(storageRow)),
    more > 0 && h("div", { class: "dobook-note" }, `… and ${more.toLocaleString("en")} more`),
    h("form", { "data-do": "add" },
      h("input", { name: "row", placeholder: "new key", "aria-label": "new key", size: 12 }),
      h("input", { name: "value", placeholder: "value: 1, \"text\", {\"a\": []}", "aria-label": "new value", size: 24 }),
      h("button", { type: "submit" }, "Add row")));
}

const tables = (facts) => facts.tables.map((one) =>
  part(`Table ${one.name}`, one.count === 1 ? "1 row" : `${one.count.toLocaleString("en")} rows`, false,
    table(`table ${one.name}`, one.columns, one.rows)));

const request = () => part("Request", "", true,
  h("form", { "data-do": "request" },
    h("select", { name: "method", "aria-label": "method" }, METHODS.map((name) => h("option", {}, name))),
    h("input", { name: "path", value: "/", "aria-label": "path", size: 24, spellcheck: "false", class: "dobook-code" }),
    h("input", { name: "body", placeholder: "JSON body", "aria-label": "body", size: 24, spellcheck: "false", class: "dobook-code" }),
    h("button", { type: "submit" }, "Send")));

const asked = (facts) => part("Requests", facts.requests.toLocaleString("en"), false,
  facts.asked.length > 0 && table("requests", ["at", "request", "answer", "took"], facts.asked.map((one) =>
    [one.at, `${one.method} ${one.path}`, one.error ? `✗ ${one.error}` : one.status ?? "✓", one.took])));

const sockets = (facts) => facts.sockets.length > 0 && part("Sockets", String(facts.sockets.length), true,
  table("sockets", ["state", "kind", "tags", "attachment"],
    facts.sockets.map((one) => [one.state, one.kind, one.tags, one.attachment])));

const log = (facts) => part("Log", "", false,
  h("pre", { tabindex: 0, class: "dobook-scroll" }, facts.log.map((line) => `${line.at}  ${line.text}\n`)));

const memory = (facts) => facts.memory.length > 0 && part("In memory only", "lost when it is evicted", false,
  table("attributes of the instance", ["attribute", "value"], facts.memory));

function draw(facts, ui) {
  const there = facts.state === "idle" || facts.state === "running", alarm = facts.alarm;
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, facts.title), h("span", { class: "dobook-note" }, facts.class),
      h("span", { class: "dobook-chip" }, STATES[facts.state]),
      h("span", { class: "dobook-chip" }, alarm
        ? `alarm in ${alarm.in}${alarm.attempt ? `, retry ${alarm.attempt}` : ""} (${alarm.runs})` : "no alarm")),
    h("div", { class: "dobook-bar" },
      button("alarm", "Run alarm", { disabled: !alarm, title: "let time pass until the alarm has run" }),
      button("evict", "Evict", { disabled: !there, title: "take it out of memory; storage stays" }),
      button("crash", "Crash", { disabled: !there, title: "end its life now; what is not committed is lost" }),
      ui.confirm === true
        ? [button("delete", "Delete everything it keeps", { class: "dobook-danger" }),
          h("button", { type: "button", "data-ui": "{\"confirm\": false}" }, "Keep")]
        : h("button", { type: "button", "data-ui": "{\"confirm\": true}", disabled: facts.state === "not used yet" }, "Delete…")),
    storage(facts), tables(facts), request(), asked(facts), sockets(facts), log(facts), memory(facts),
  ];
}
