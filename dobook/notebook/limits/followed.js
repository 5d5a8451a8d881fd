// Frames that follow the clock; see followed_view.py for the facts and for what the buttons do.

function bar(facts) {
  const steps = [["1s", "+1 s"], ["10s", "+10 s"], ["1m", "+1 m"]];
  return h("div", { class: "dobook-bar" },
    facts.kind === "gauge" && [
      button("hit", "Ask once", { "data-times": "1" }),
      button("hit", "Ask 5 times", { "data-times": "5" }),
      button("free", "Wait until one is free"),
    ],
    facts.kind === "workflow" && button("next", "Next alarm"),
    steps.map(([by, text]) => button("step", text, { "data-by": by, title: "let time pass" })));
}

function draw(facts) {
  return [
    h("div", { class: "dobook-head" }, h("span", { role: "status" }, facts.caption)),
    facts.picture && picture(facts.picture),
    bar(facts),
    part("Table", facts.rows === 1 ? "1 row" : `${facts.rows} rows`, false,
      facts.table && h("div", { class: "dobook-scroll", tabindex: 0, role: "region", "aria-label": "table" },
        picture(facts.table))),
  ];
}
