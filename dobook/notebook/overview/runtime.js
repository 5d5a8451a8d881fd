// The runtime; see runtime_view.py for the facts and for what the buttons do.

function classes(facts) {
  const rows = facts.classes.map((one) => ({ key: one.binding, cells: [
    button("class", one.binding, { "data-binding": one.binding, class: "dobook-link", "aria-label": `open ${one.binding}`,
      "aria-pressed": String(one.binding === facts.opened?.binding) }),
    one.class, ...[one.objects, one.resident, one.alarms, one.sockets, one.requests].map((number) => number.toLocaleString("en")),
    one.storage,
  ] }));
  return part("Classes", String(rows.length), true, rows.length > 0
    ? table("classes", ["binding", "class", "objects", "in memory", "alarms", "sockets", "requests", "storage"], rows)
    : h("div", { class: "dobook-note" }, "none yet; define one with %%durable_object"));
}

/** Make a part with a table of texts; one without rows is folded. */
const list = (title, names, rows, total = rows.length) => part(title, String(total), rows.length > 0,
  rows.length > 0 && table(title.toLowerCase(), names, rows));

function draw(facts, ui) {
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, "Runtime"), h("span", { class: "dobook-note" }, facts.about[0][1]),
      h("span", { class: "dobook-chip" }, `${facts.objects.toLocaleString("en")} objects, ${facts.resident.toLocaleString("en")} in memory`),
      h("span", { class: "dobook-chip" }, facts.busy ? `▶ ${facts.busy.toLocaleString("en")} under way` : "nothing under way")),
    h("section", { class: "dobook-inner", "aria-label": "clock" }, clock(facts.clock, ui)),
    h("div", { class: "dobook-bar" },
      h("form", { "data-do": "reach" },
        h("input", { name: "path", placeholder: "BINDING or BINDING/name", "aria-label": "a class or an object", size: 22, class: "dobook-code", spellcheck: "false" }),
        h("button", { type: "submit", title: "look into a class or an object" }, "Look into")),
      button("evict_idle", "Evict all idle", { disabled: !facts.idle, title: "take every idle object out of memory; storage stays" })),
    classes(facts),
    facts.opened && h("section", { class: "dobook-inner", "data-key": facts.opened.title, "aria-label": facts.opened.title },
      namespace(facts.opened, ui)),
    list("Under way", ["object", "why"], facts.under_way, facts.busy),
    list("Connections", ["object", "sockets", "kept"], facts.connected),
    list("Last requests", ["at", "object", "request", "answer", "took"], facts.asked),
    facts.faults.length > 0 && part("Faults planned", String(facts.faults.length), true,
      table("faults planned", ["object", "fault", ""], facts.faults), button("call_off", "Call them off")),
    part("Settings", "", false, table("settings", ["what", "is"], facts.about)),
  ];
}
