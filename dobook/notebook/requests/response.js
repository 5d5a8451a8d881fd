// A response; see response_view.py for the facts and for what the buttons do.

function draw(facts) {
  const count = facts.headers.length === 1 ? "1 header" : `${facts.headers.length} headers`;
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, facts.failed ? `✗ ${facts.status}` : facts.status), h("span", { class: "dobook-note" }, " " + facts.url)),
    facts.headers.length > 0 && part("Headers", count, true, table("headers", ["name", "value"], facts.headers)),
    facts.body && h("pre", { tabindex: 0, class: "dobook-scroll", role: "region", "aria-label": "body" }, facts.body),
    facts.raised && h("pre", { tabindex: 0, class: "dobook-scroll", role: "region", "aria-label": "what raised" }, facts.raised),
    (facts.json || facts.more > 0) && h("div", { class: "dobook-bar" },
      facts.json && button("lay_out", facts.raw ? "Lay out" : "As it came", { "data-raw": facts.raw ? "no" : "yes" }),
      facts.more > 0 && button("show", facts.whole ? "Show the beginning" : `Show all ${facts.more.toLocaleString("en")} characters`,
        { "data-whole": facts.whole ? "no" : "yes" })),
  ];
}
