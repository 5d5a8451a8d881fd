// The timeline; see timeline_view.py for the facts and for what the buttons do.

function choice(name, label, options, chosen) {
  return h("select", { "data-do": "filter", "data-field": name, "aria-label": label },
    ["", ...options].map((one) => h("option", { value: one, selected: one === chosen }, one || `every ${name}`)));
}

function bar(facts) {
  const none = facts.count === 0, place = facts.place;
  const go = (to, text, off) => button("go", text, { "data-to": to, "aria-label": `${to} event`, disabled: none || off });
  return h("div", { class: "dobook-bar" },
    go("first", "|◀", place === 0), go("previous", "◀", place === 0), go("next", "▶", place === facts.count - 1),
    go("last", "▶|", place === facts.count - 1),
    h("span", { class: "dobook-note" }, place === null ? `${facts.count} events` : `${place + 1} of ${facts.count}`),
    choice("object", "only this object", facts.objects, facts.filter.object),
    choice("kind", "only this kind", facts.kinds, facts.filter.kind),
    facts.fresh > 0 && button("more", `Show ${facts.fresh.toLocaleString("en")} new`, { title: "what has been recorded since; the selection stays" }),
    h("input", { "data-do": "filter", "data-field": "text", "aria-label": "only with this text", placeholder: "with this text",
      size: 14, value: facts.filter.text }));
}

function diagram(facts) {
  const svg = picture(facts.svg);
  for (const row of svg.querySelectorAll?.("[data-seq]") ?? []) {
    row.dataset.do = "select";
    if (Number(row.dataset.seq) === facts.event?.seq) row.setAttribute("aria-current", "true");
  }
  return h("div", { class: "dobook-scroll dobook-diagram", tabindex: 0, role: "region", "aria-label": "diagram" }, svg);
}

function event(one) {
  return h("div", { class: "dobook-event" },
    h("div", {}, h("strong", {}, `${one.object}: ${one.what}`), h("span", { class: "dobook-note" }, ` ${one.kind}, at ${one.at}, no. ${one.seq}`),
      one.cause > 0 && [" ", button("select", `caused by ${one.cause}`, { "data-seq": one.cause })]),
    one.detail.length > 0 && h("div", { class: "dobook-note dobook-code" }, one.detail.map(([name, value]) => `${name}=${value}`).join("  ")));
}

const gate = (state) => (state === "shut" ? "■ shut" : "□ open");

function draw(facts) {
  return [
    h("div", { class: "dobook-head" }, h("strong", {}, facts.title)),
    bar(facts), diagram(facts),
    facts.event ? event(facts.event) : h("div", { class: "dobook-note" }, "Select an event, or step through them."),
    facts.moment.length > 0 && table("objects at this moment",
      ["object", "memory", "at work", "waiting", "input gate", "output gate", "written", "alarm"],
      facts.moment.map((one) => ({ key: one.object, cells: [one.object, one.memory, one.running, String(one.waiting),
        gate(one.input_gate), gate(one.output_gate), h("div", {}, one.stored.map((line) => h("div", {}, line))), one.alarm] }))),
  ];
}
