"""Front ends that cannot be run here, as pages: their style sheets' variables around our displays.

Each page has every live view, drawn by its own JavaScript from facts that a session gave, and every
static display. The variables are those that the front ends define: JupyterLab's from its theme
extensions, those of ipywidgets from `@jupyter-widgets/controls/css/labvariables.css` (which VS Code
and Colab load for the whole page, light whatever the theme), VS Code's from its Dark Modern, Light
Modern and high contrast themes, and the bridge between the two from vscode-jupyter's
`ipywidgets/renderer`.
"""

import json
from dataclasses import dataclass
from typing import Any

LABVARIABLES = """:root {
  --jp-border-color1: #9e9e9e; --jp-ui-font-family: Helvetica, Arial, sans-serif;
  --jp-ui-font-color0: black; --jp-ui-font-color1: rgba(0, 0, 0, 0.8);
  --jp-ui-font-color2: rgba(0, 0, 0, 0.5); --jp-ui-font-color3: rgba(0, 0, 0, 0.3);
  --jp-layout-color0: white; --jp-layout-color1: white; --jp-layout-color2: #eeeeee;
  --jp-brand-color1: #2196f3; --jp-error-color1: #f44336; --jp-success-color1: #4caf50;
  --jp-warn-color0: #f57c00; --jp-info-color1: #00bcd4; --jp-code-font-family: monospace;
}"""
BRIDGE = """.cell-output-ipywidget-background {
  background: white !important; color: var(--vscode-editor-foreground);
  --jp-ui-font-family: var(--vscode-editor-font-family);
  --jp-code-font-family: var(--vscode-editor-font-family);
  --jp-ui-font-color1: var(--vscode-editor-foreground);
  --jp-ui-font-color2: var(--vscode-editor-foreground);
  --jp-ui-font-color3: var(--vscode-editor-foreground);
  --jp-brand-color1: var(--vscode-textLink-foreground);
  --jp-border-color1: var(--vscode-panel-border);
}
.vscode-dark .cell-output-ipywidget-background {
  --jp-layout-color1: var(--vscode-input-background);
  --jp-layout-color2: var(--vscode-input-background);
}"""


@dataclass(frozen=True, slots=True)
class Host:
    """A front end's page.

    Attributes:
        attributes: Of its `html` element.
        body: Attributes of its body.
        style: Its style sheet.
        widgets: The class of what is around a live view.
    """

    attributes: str = ""
    body: str = ""
    style: str = ""
    widgets: str = ""


def _vscode(kind: str, **colours: str) -> Host:
    variables = "".join(f"--vscode-{k.replace('_', '-')}: {v}; " for k, v in colours.items())
    page = (
        f":root {{ {variables}--vscode-editor-font-family: monospace }} body {{ color: "
        "var(--vscode-editor-foreground); background: var(--vscode-editor-background) }"
    )
    return Host(
        body=f'class="vscode-{kind}"',
        style=LABVARIABLES + page + BRIDGE,
        widgets="cell-output-ipywidget-background",
    )


def _lab(text: str, layout: str, **colours: str) -> Host:
    inks = {"color1": 0.87, "color2": 0.54, "color3": 0.38}
    variables = "".join(f"--jp-{k.replace('_', '-')}: {v}; " for k, v in colours.items())
    variables += "".join(f"--jp-ui-font-{k}: rgba({text}, {v}); " for k, v in inks.items())
    page = f"body {{ color: rgba({text}, 0.87); background: {layout} }}"
    return Host(style=f":root {{ {variables} --jp-code-font-family: monospace }} {page}")


HOSTS = {
    "lab-dark": _lab(
        "255, 255, 255", "#111111",
        layout_color1="#212121", layout_color2="#424242", border_color1="#616161",
        brand_color1="#2196f3", error_color1="#f44336", success_color1="#4caf50",
        warn_color0="#f57c00", warn_color1="#ff9800", info_color1="#00bcd4",
    ),
    "lab-light": _lab(
        "0, 0, 0", "#ffffff",
        layout_color1="#ffffff", layout_color2="#eeeeee", border_color1="#bdbdbd",
        brand_color1="#1976d2", error_color1="#d32f2f", success_color1="#388e3c",
        warn_color0="#e65100", warn_color1="#f57c00", info_color1="#0097a7",
    ),
    "vscode-dark": _vscode(
        "dark",
        editor_foreground="#cccccc", editor_background="#1f1f1f", panel_border="#2b2b2b",
        descriptionForeground="#9d9d9d", input_background="#313131", input_border="#3c3c3c",
        sideBar_background="#181818", textLink_foreground="#4daafc", errorForeground="#f85149",
    ),
    "vscode-light": _vscode(
        "light",
        editor_foreground="#3b3b3b", editor_background="#ffffff", panel_border="#e5e5e5",
        descriptionForeground="#3b3b3b", input_background="#ffffff", input_border="#cecece",
        sideBar_background="#f8f8f8", textLink_foreground="#005fb8", errorForeground="#f85149",
    ),
    "vscode-high-contrast": _vscode(
        "high-contrast",
        editor_foreground="#ffffff", editor_background="#000000", panel_border="#6fc3df",
        descriptionForeground="#ffffffb3", input_background="#000000", input_border="#6fc3df",
        sideBar_background="#000000", textLink_foreground="#21a6ff", errorForeground="#f48771",
    ),
    "colab-dark": Host(
        attributes='theme="dark"',
        style=LABVARIABLES + "body { color: #e3e3e3; background: #383838 }",
    ),
    "colab-light": Host(
        attributes='theme="light"',
        style=LABVARIABLES + "body { color: #1f1f1f; background: #ffffff }",
    ),
    "plain": Host(style="body { color: #1f2328; background: #ffffff }"),
}  # fmt: skip

# As anywidget does it: a model with get, set, on, off and send; an element; a module with render.
MOUNT = """async ({ views }) => {
  window.sent = [];
  for (const { esm, css, state, widgets } of views) {
    const style = document.createElement("style");
    style.textContent = css;
    document.head.append(style);
    const { default: made } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    const el = document.createElement("div"), heard = {};
    el.className = widgets;
    document.querySelector("#views").append(el);
    made.render({ el, model: {
      get: (name) => state[name], on: (name, call) => { (heard[name] ??= []).push(call); }, off: () => {},
      send: (message) => window.sent.push(message),
    } });
    for (const call of heard["change:outcome"] ?? []) call();
  }
  for (const one of document.querySelectorAll("details")) one.open = true;
}"""


def page_of(host: Host, displays: list[str]) -> str:
    """Return the page without its live views."""
    shown = "".join(f"<div class=output>{html}</div>" for html in displays)
    layout = "body { font: 14px system-ui; margin: 12px } .output { margin: 12px 0 }"
    return (
        f"<!doctype html><html lang=en {host.attributes}><head><meta charset=utf-8><title>host"
        f"</title><style>{layout}{host.style}</style></head><body {host.body}><main><h1>views</h1>"
        f"<div id=views></div><h1>static</h1><div id=static>{shown}</div></main></body></html>"
    )


def mount(page: Any, host: Host, views: list[dict[str, Any]], displays: list[str]) -> None:
    """Show everything in a page."""
    page.set_content(page_of(host, displays))
    page.evaluate(
        MOUNT, {"views": [{**json.loads(json.dumps(v)), "widgets": host.widgets} for v in views]}
    )
