// Put in front of every view's own file (see view.py), which has a function draw(facts, ui). It returns the elements that show the facts. They are drawn anew at every change
// and merged into what is there, so focus and half-typed text stay.
//
// What elements may carry:  data-do="name"  sends {do: name, ...other data-*, ...a form's fields},
// and of a changed field {value} or, with data-field="key", {key};  data-ui='{"confirm": true}'
// changes `ui`, which is this view's alone, and draws again;  data-key  tells rows apart when some
// come or go;  aria-current  inside a scrolling part is scrolled to.

/** Make an element; text is text, never markup. */
function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value != null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  // Keys pressed here are not the notebook's shortcuts ("dd" deletes a cell).
  if (/^(button|input|select|summary|textarea)$/.test(tag)) node.dataset.lmSuppressShortcuts = "true";
  node.append(...children.flat(9).filter((child) => child != null && child !== false));
  return node;
}

/** Make an element from a picture that Python has drawn, all its text escaped. */
function picture(svg) {
  const template = document.createElement("template");
  template.innerHTML = svg;
  return template.content.firstElementChild ?? "";
}

const button = (name, text, more) => h("button", { type: "button", "data-do": name, ...more }, text);

/** Make a table; a row is a list of cells, or {key, cells}. */
function table(label, names, rows) {
  const line = (row) => h("tr", { "data-key": row.key }, (row.cells ?? row).map((cell) => h("td", {}, cell)));
  const head = h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
  return h("div", { class: "dobook-scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", {}, head, h("tbody", {}, rows.map(line))));
}

/** Make a part that can be folded; one that says nothing begins folded. */
function part(title, note, open, ...children) {
  return h("details", { open, "data-key": title },
    h("summary", {}, title, note && h("span", { class: "dobook-note" }, " " + note)), ...children);
}

function merge(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== 1) return old.data === fresh.data || (old.data = fresh.data);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value || name === "open") continue;
    old.setAttribute(name, value);
    if (name === "value" && old !== old.getRootNode().activeElement) old.value = value;
  }
  if (old.nodeName === "TEXTAREA") return;
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key;
    let same = at;
    if (key !== undefined) while (same && same.dataset?.key !== key) same = same.nextSibling;
    if (!same || same.dataset?.key !== key) {
      old.insertBefore(child, at);
      continue;
    }
    while (at !== same) { const gone = at; at = at.nextSibling; gone.remove(); }
    at = same.nextSibling;
    merge(same, child);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

/** Make what anywidget renders from a function that draws. */
function view(draw) {
  function render({ model, el }) {
    const state = {};
    const left = h("div"), body = h("div"), said = h("div", { class: "dobook-said", "aria-live": "polite" });
    const root = h("div", { class: "dobook-view", role: "group", "data-lm-suppress-shortcuts": "true" }, left, body, said);
    const redraw = () => {
      const facts = model.get("facts");
      root.setAttribute("aria-label", facts.title);
      merge(body, h("div", {}, draw(facts, state)));
      const current = body.querySelector(".dobook-scroll [aria-current]"), box = current?.closest(".dobook-scroll");
      if (!current) return;
      const [inner, outer] = [current, box].map((one) => one.getBoundingClientRect());
      if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - outer.height / 3;
    };
    function act(message) {
      root.setAttribute("aria-busy", "true");
      model.send(message);
    }
    function answered() {
      const { problem, place, lines, note } = model.get("outcome");
      root.removeAttribute("aria-busy");
      said.replaceChildren(
        ...(problem ? [h("div", { class: "dobook-problem", role: "alert" },
          h("strong", {}, "✗ "), problem, place && h("pre", {}, place))] : []),
        ...(note ? [h("div", {}, "✓ " + note)] : []),
        ...(lines ? [h("pre", {}, lines)] : []));
      if (!problem) { delete state.confirm; redraw(); }
    }
    const followed = () => left.replaceChildren(...(model.get("following") === false ? [h("div", { class: "dobook-bar dobook-left" },
      "This view stands still: later ones have taken its place.", button("follow", "Follow again"))] : []));
    const sent = new WeakMap();
    function heard(event) {
      const at = event.target.closest?.("[data-do], [data-ui]");
      if (!at || !root.contains(at)) return;
      const wanted = { FORM: "submit", INPUT: "change", SELECT: "change", TEXTAREA: "change" }[at.nodeName] ?? "click";
      const pressed = event.type === "keydown" && at.namespaceURI?.endsWith("svg") && [" ", "Enter"].includes(event.key);
      if (event.type !== wanted && !pressed) return;
      event.preventDefault();
      const { do: name, ui: change, key, lmSuppressShortcuts, ...more } = at.dataset;
      if (change) { Object.assign(state, JSON.parse(change)); redraw(); }
      if (!name) return;
      if (wanted === "submit") Object.assign(more, Object.fromEntries(new FormData(at)));
      if (at.nodeName === "INPUT") {
        if ([at.getAttribute("value"), sent.get(at)].includes(at.value)) return;
        sent.set(at, at.value);
      }
      const { field = "value", ...rest } = more;
      if (wanted === "change") return act({ do: name, ...rest, [field]: at.value });
      act({ do: name, ...more });
    }
    for (const type of ["click", "submit", "change", "keydown"]) root.addEventListener(type, heard);
    root.addEventListener("keydown", (event) => {
      const at = event.target;
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
      if (event.key === "Escape" && at.hasAttribute("value")) at.value = at.getAttribute("value");
      if (event.key !== "Enter" || at.nodeName !== "INPUT") return;
      event.preventDefault(); // some notebooks keep Enter from doing this by itself
      if (at.form) at.form.requestSubmit();
      else at.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const changes = { "change:facts": redraw, "change:outcome": answered, "change:following": followed };
    for (const [name, call] of Object.entries(changes)) model.on(name, call);
    el.append(root);
    redraw();
    followed();
    return () => { for (const [name, call] of Object.entries(changes)) model.off(name, call); };
  }
  return { render };
}
