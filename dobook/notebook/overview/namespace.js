// A class of objects; see namespace_view.py for the facts and for what the buttons do.

const MEMORY = { running: "▶ running", idle: "● in memory, idle", evicted: "○ evicted" };
const many = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

function bar(facts) {
  return h("div", { class: "dobook-bar" },
    h("form", { "data-do": "open" },
      h("input", { name: "which", placeholder: "name or id", "aria-label": "name or id of an object", size: 16, class: "dobook-code", spellcheck: "false" }),
      h("button", { type: "submit", title: "look into an object; it need not exist yet" }, "Open")),
    h("input", { "data-do": "find", "data-field": "text", "aria-label": "only names with this text", placeholder: "only with this text", size: 20, value: facts.find }),
    h("select", { "data-do": "order", "data-field": "by", "aria-label": "order" },
      facts.orders.map((one) => h("option", { value: one, selected: one === facts.order }, `by ${one}`))));
}

function row(one, opened) {
  return { key: one.id, cells: [
    h("button", { type: "button", role: "checkbox", "aria-checked": String(one.chosen), "aria-label": `choose ${one.name}`,
      class: "dobook-tick", "data-do": "choose", "data-which": one.id }, one.chosen ? "☑" : "☐"),
    button("open", one.name, { "data-which": one.label, class: "dobook-link", "aria-label": `open ${one.name}`,
      "aria-pressed": String(one.id === opened) }),
    MEMORY[one.state], one.alarm, one.sockets ? String(one.sockets) : "", one.keys.toLocaleString("en"),
    one.requests.toLocaleString("en"), one.last,
  ] };
}

function acts(facts, ui) {
  const none = facts.chosen === 0, these = none ? "" : ` ${facts.chosen}`;
  return h("div", { class: "dobook-bar" },
    button("choose_all", "Choose all"), button("choose_none", "Choose none", { disabled: none }),
    button("evict_chosen", "Evict" + these, { disabled: none, title: "take them out of memory; storage stays" }),
    button("crash_chosen", "Crash" + these, { disabled: none, title: "end their lives now; what is not committed is lost" }),
    ui.confirm === "chosen" && !none
      ? [button("delete_chosen", `Delete everything ${facts.chosen === 1 ? "it keeps" : `these ${facts.chosen} keep`}`, { class: "dobook-danger" }),
        h("button", { type: "button", "data-ui": "{\"confirm\": false}" }, "Keep")]
      : h("button", { type: "button", "data-ui": "{\"confirm\": \"chosen\"}", disabled: none }, `Delete${these}…`));
}

function draw(facts, ui) {
  const more = facts.matching - facts.rows.length;
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, facts.title), h("span", { class: "dobook-note" }, `${facts.class}, ${facts.storage}`),
      h("span", { class: "dobook-chip" }, many(facts.count, "object")),
      h("span", { class: "dobook-chip" }, `${facts.resident.toLocaleString("en")} in memory`),
      h("span", { class: "dobook-chip" }, many(facts.alarms, "alarm")),
      facts.sockets > 0 && h("span", { class: "dobook-chip" }, many(facts.sockets, "socket"))),
    bar(facts),
    facts.rows.length > 0
      ? table(`objects of ${facts.title}`, ["", "object", "memory", "alarm", "sockets", "keys", "requests", "last active"],
        facts.rows.map((one) => row(one, facts.opened?.id)))
      : h("div", { class: "dobook-note" }, facts.count ? "none has this text in its name" : "no objects yet: open one by name, and send it a request"),
    more > 0 && h("div", { class: "dobook-note" }, `… and ${more.toLocaleString("en")} more: find some by their name`),
    facts.count > 0 && acts(facts, ui),
    facts.opened && h("section", { class: "dobook-inner", "data-key": facts.opened.id, "aria-label": facts.opened.title },
      h("div", { class: "dobook-bar" }, button("shut", "✕ Close", { "aria-label": `close ${facts.opened.title}` })),
      inspector(facts.opened, ui)),
  ];
}
