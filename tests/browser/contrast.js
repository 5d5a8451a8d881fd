// Returns what of the pictures in a page has too little contrast: text below 4.5, marks below 3.
() => {
  const parse = (text) => {
    const found = /(rgba?|color)\((?:srgb )?([^)]+)\)/.exec(text);
    if (!found) return null;
    const [r, g, b, a = 1] = found[2].split(/[ ,/]+/).map(Number), most = found[1] === "color" ? 255 : 1;
    return [r * most, g * most, b * most, a];
  };
  const over = (top, under) => top.slice(0, 3).map((part, i) => part * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const paper = (element) => {
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.push(parse(getComputedStyle(at).backgroundColor) ?? [0, 0, 0, 0]);
    return chain.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const ink = (element, name) => {
    const style = getComputedStyle(element), colour = parse(style[name]);
    if (!colour) return null;
    colour[3] *= Number(style[`${name}Opacity`] || 1) * Number(style.opacity || 1);
    return colour[3] > 0.02 ? colour : null;
  };
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const page = paper(svg), tints = [];
    for (const element of svg.querySelectorAll("text, tspan, rect, circle, path, polygon, line")) {
      const box = element.getBoundingClientRect();
      if (!box.width && !box.height) continue;
      const x = box.left + box.width / 2, y = box.top + box.height / 2;
      const inside = (b) => b.left <= x && x <= b.right && b.top <= y && y <= b.bottom;
      const under = tints.filter(([b]) => inside(b)).reduce((at, [, colour]) => over(colour, at), page);
      const fill = element.nodeName === "line" ? null : ink(element, "fill"), stroke = element.matches("text, tspan") ? null : ink(element, "stroke");
      const say = (value, most) => found.push(`${value.toFixed(2)} < ${most}: ${element.outerHTML.slice(0, 160)}`);
      if (element.matches("text, tspan")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (own && fill && ratio(over(fill, under), under) < 4.5) say(ratio(over(fill, under), under), 4.5);
        continue;
      }
      const wide = element.nodeName === "rect" && fill && box.width > 200;
      if (wide && fill[3] < 1) tints.push([box, fill]);
      if (wide || /rgba\(128, 128, 128/.test(element.outerHTML)) continue; // a tint, a grid's line
      const marks = [fill, stroke].filter(Boolean).map((colour) => ratio(over(colour, under), under));
      if (marks.length && Math.max(...marks) < 3) say(Math.max(...marks), 3);
    }
  }
  return found;
}
