// The point-in-time slider; see past_view.py for the facts and for what the buttons do.

function slider(facts) {
  const last = facts.moments.length - 1, at = facts.moments[facts.place];
  const go = (place, text, label) => button("go", text, { "data-place": place, "aria-label": label, disabled: place < 0 || place > last });
  return h("div", { class: "dobook-bar" },
    go(facts.place - 1, "◀", "earlier"),
    h("input", { type: "range", "data-do": "go", "data-field": "place", min: 0, max: last, step: 1, value: facts.place,
      "aria-label": "moment", "aria-valuetext": at, class: "dobook-range" }),
    go(facts.place + 1, "▶", "later"),
    h("span", { class: "dobook-code" }, `${at} UTC`),
    h("span", { class: "dobook-note" }, `moment ${facts.place + 1} of ${last + 1}` + (facts.place === last ? ", now" : "")));
}

function acts(facts, ui) {
  const now = facts.place === facts.moments.length - 1;
  return h("div", { class: "dobook-bar" },
    h("form", { "data-do": "fork" },
      h("input", { name: "name", value: "fork", "aria-label": "the fork's name", size: 10, class: "dobook-code", spellcheck: "false" }),
      h("button", { type: "submit", title: "go on from here in a runtime of its own" }, "Fork from here")),
    ui.confirm
      ? [button("restore", "Go back to this moment", { class: "dobook-danger" }),
        h("button", { type: "button", "data-ui": "{\"confirm\": false}" }, "Stay")]
      : h("button", { type: "button", "data-ui": "{\"confirm\": true}", disabled: now }, "Go back…"));
}

function draw(facts, ui) {
  const head = h("div", { class: "dobook-head" }, h("strong", {}, facts.title));
  if (!facts.moments.length) return [head, h("div", { class: "dobook-note" }, "nothing has been stored yet")];
  return [
    head, slider(facts), acts(facts, ui),
    part("Storage then", `${facts.rows.length} keys` + (facts.alarm && `, alarm at ${facts.alarm}`) + (facts.tables && `, tables ${facts.tables}`), true,
      facts.rows.length > 0 && table("storage then", ["key", "value", "type"], facts.rows.map((row) => ({ key: row[0], cells: row })))),
    part("Different now", String(facts.changes.length), true,
      facts.changes.length > 0 && table("what is different now", ["what", "key", "then", "now"],
        facts.changes.map(([what, key, then, now]) => [what, key, then || "∅", now || "∅"]))),
  ];
}
