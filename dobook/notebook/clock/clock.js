// The clock; see clock_view.py for the facts and for what the buttons do.

function bar(facts) {
  const still = !facts.virtual, none = facts.alarms.length === 0;
  return h("div", { class: "dobook-bar" },
    button("step", "+1 s", { "data-by": "1s", disabled: still }),
    button("step", "+1 m", { "data-by": "1m", disabled: still }),
    button("step", "+1 h", { "data-by": "1h", disabled: still }),
    button("step", "+1 d", { "data-by": "1d", disabled: still }),
    button("next", "Next alarm", { disabled: still || none, title: "let time pass until the next alarm has run" }),
    h("form", { "data-do": "jump" },
      h("input", { name: "to", placeholder: "1h30m or 2026-01-31T18:00", "aria-label": "how far, or until when", size: 24 }),
      h("button", { type: "submit", disabled: still }, "Jump")));
}

function player(facts, ui) {
  const playing = facts.rate > 0;
  return h("div", { class: "dobook-bar" },
    playing
      ? button("pause", "❚❚ Pause", { "aria-pressed": "true" })
      : button("play", "▶ Play", { "data-rate": ui.rate, disabled: !facts.virtual, "aria-pressed": "false" }),
    h("span", { role: "group", "aria-label": "rate", class: "dobook-bar" },
      facts.rates.map(([rate, text]) =>
        h("button", {
          type: "button", "data-ui": JSON.stringify({ rate }), "data-do": playing ? "play" : null,
          "data-rate": rate, "aria-pressed": String((playing ? facts.rate : ui.rate) === rate),
        }, text))));
}

function draw(facts, ui) {
  ui.rate ??= 60;
  const more = facts.count - facts.alarms.length;
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, "Clock"), h("span", { class: "dobook-code dobook-now" }, facts.now + " UTC"),
      h("span", { class: "dobook-chip" }, !facts.virtual ? "real time" : facts.rate > 0 ? "▶ playing" : "❚❚ stands still")),
    picture(facts.picture),
    bar(facts), player(facts, ui),
    part("Alarms", String(facts.count), false,
      facts.alarms.length > 0 && table("alarms", ["object", "in", "runs", "retry"],
        facts.alarms.map((one) => [one.object, one.in, one.runs, one.attempt || ""])),
      more > 0 && h("div", { class: "dobook-note" }, `… and ${more.toLocaleString("en")} more`)),
    facts.ran.length > 0 && part("Last ran", "", false,
      h("pre", { tabindex: 0, class: "dobook-scroll" }, facts.ran.map((line) => line + "\n"))),
  ];
}
