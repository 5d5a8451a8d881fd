// The request console; see console_view.py for the facts and for what the buttons do.

const field = (name, label, more) => h("label", { class: "dobook-field" }, h("span", { class: "dobook-note" }, label),
  h(more.rows ? "textarea" : "input", { name, "aria-label": label, spellcheck: "false", class: "dobook-code", ...more }));

function form(facts, ui) {
  const was = ui.again ?? {};
  // The key makes a new form when a request of the history is taken up again.
  return h("form", { "data-do": "send", "data-key": `form ${was.number ?? ""}` },
    h("select", { name: "method", "aria-label": "method" },
      facts.methods.map((one) => h("option", { selected: one === (was.method ?? "GET") }, one))),
    h("input", { name: "path", value: was.path ?? "/", "aria-label": "path", size: 32, spellcheck: "false", class: "dobook-code" }),
    h("button", { type: "submit" }, "Send"),
    h("details", { class: "dobook-wide", open: Boolean(was.headers || was.body) }, h("summary", {}, "Headers and body"),
      field("headers", "headers, one a line", { rows: 2, cols: 36, placeholder: "x-user: ada" }),
      field("body", "body, as JSON", { rows: 2, cols: 36, placeholder: "{\"by\": 2}" })),
    h("details", { class: "dobook-wide", open: was.repeat > 1 }, h("summary", {}, "Many"),
      field("repeat", "how many", { size: 6, value: was.repeat > 1 ? was.repeat : "" }),
      field("rate", "rate", { size: 6, value: was.rate ?? "", placeholder: "20/s" }),
      field("concurrency", "at once", { size: 6, value: was.concurrency ?? "" })));
}

function answer(one) {
  return h("div", { class: "dobook-answer" },
    h("div", {}, h("strong", {}, one.status), h("span", { class: "dobook-note" }, ` took ${one.took}`)),
    one.picture && picture(one.picture),
    one.answer && h("pre", { tabindex: 0, class: "dobook-scroll" }, one.answer));
}

function history(facts, ui) {
  const text = (one) => `${one.method} ${one.path}` + (one.repeat > 1 ? ` × ${one.repeat}` : "") + (one.rate ? ` at ${one.rate}` : "");
  const rows = [...facts.history].reverse().map((one) => ({ key: String(one.number), cells: [
    String(one.number), one.at,
    h("span", { class: "dobook-bar" },
      button("replay", "Replay", { "data-number": one.number, "aria-label": `replay request ${one.number}` }),
      h("button", { type: "button", "aria-label": `edit request ${one.number}`, "data-ui": JSON.stringify({ again: one }) }, "Edit"),
      h("button", { type: "button", "aria-label": `show answer ${one.number}`, "data-ui": JSON.stringify({ shown: one.number }) }, "Show")),
    text(one), one.status,
  ] }));
  return part("History", String(facts.history.length), false,
    table("history", ["no.", "at", "", "request", "answer"], rows), button("clear", "Clear history"));
}

function draw(facts, ui) {
  const last = facts.history.at(-1);
  const again = ui.last !== last?.number; // something new was sent: show that
  if (again) { ui.last = last?.number; delete ui.shown; }
  const shown = facts.history.find((one) => one.number === ui.shown) ?? last;
  return [
    h("div", { class: "dobook-head" }, h("strong", {}, facts.title)),
    form(facts, ui), shown && answer(shown), last && history(facts, ui),
  ];
}
