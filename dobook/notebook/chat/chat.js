// The chat room; see chat_view.py for the facts and for what the buttons do.

const WORDS = {
  open: "connected", closed: "the connection is closed", closing: "closed the connection", dropped: "dropped out",
};

function line(one) {
  if (one.kind === "history") {
    const said = one.words ? one.words.split("\n") : [];
    return h("details", { class: "dobook-chat-history" }, h("summary", {}, `history: ${said.length} before`),
      said.map((text) => h("div", {}, text)));
  }
  const spoken = one.kind === "sent" || one.kind === "received";
  const words = spoken || !WORDS[one.kind] ? one.words : `${WORDS[one.kind]}: ${one.words}`;
  return h("div", { class: `dobook-chat-line dobook-chat-${one.kind}`, title: one.at },
    spoken && h("span", { class: "dobook-chat-mark" }, one.kind === "sent" ? "→ " : "← "), words);
}

function speaking(person) {
  const form = h("form", { "data-do": "say", "data-who": person.name },
    h("input", { name: "text", placeholder: "say something", "aria-label": `what ${person.name} says`, autocomplete: "off" }),
    h("button", { type: "submit" }, "Send"));
  return emptied(form);
}

/** Have a form forget what was typed once it has been sent. */
function emptied(form) {
  form.addEventListener("submit", () => setTimeout(() => form.reset()));
  return form;
}

function pane(person) {
  const here = person.state === "open", who = { "data-who": person.name };
  return h("section", { class: "dobook-chat-pane", "data-key": person.name, "aria-label": person.name },
    h("div", { class: "dobook-head" }, h("strong", {}, person.name),
      h("span", { class: "dobook-chip" }, here ? "● here" : "○ away")),
    h("div", { class: "dobook-chat-log", tabindex: 0, role: "log", "aria-label": `what ${person.name} sees` },
      h("div", {}, person.lines.map(line))),
    here ? speaking(person) : h("div", { class: "dobook-bar" }, button("return", "Come back", who)),
    here && h("div", { class: "dobook-bar" },
      button("leave", "Leave", { ...who, title: "with a close frame" }),
      button("drop", "Drop out", { ...who, title: "without a word, as a phone does in a tunnel" })));
}

function draw(facts) {
  return [
    h("div", { class: "dobook-head" },
      h("strong", {}, facts.title), h("span", { class: "dobook-note" }, facts.class),
      h("span", { class: "dobook-chip" }, facts.awake ? "● in memory" : "○ out of memory")),
    h("div", { class: "dobook-chat-people" }, facts.people.map(pane)),
    h("div", { class: "dobook-bar" },
      button("evict", "Evict the room", { disabled: !facts.awake, title: "take it out of memory; storage and hibernating connections stay" }),
      button("crash", "Crash it", { disabled: !facts.awake, class: "dobook-danger", title: "end its life now; connections are lost" }),
      emptied(h("form", { "data-do": "invite" },
        h("input", { name: "who", placeholder: "one more name", "aria-label": "name of one more person", size: 14 }),
        h("button", { type: "submit" }, "Let in")))),
  ];
}
