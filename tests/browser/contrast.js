// Returns what in a page has too little contrast: text below 4.5, marks of pictures below 3.
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
  const papers = new Map();
  const paper = (element) => {
    if (!element) return [255, 255, 255, 1];
    if (!papers.has(element)) {
      papers.set(element, over(parse(getComputedStyle(element).backgroundColor) ?? [0, 0, 0, 0], paper(element.parentElement)));
    }
    return papers.get(element);
  };
  const ink = (element, name) => {
    const style = getComputedStyle(element), colour = parse(style[name]);
    if (!colour) return null;
    colour[3] *= Number(style[`${name}Opacity`] || 1) * Number(style.opacity || 1);
    return colour[3] > 0.02 ? colour : null;
  };
  const found = [];
  const check = (element, colours, under, least) => {
    const best = Math.max(...colours.map((colour) => ratio(over(colour, under), under)));
    if (colours.length && best < least) found.push(`${best.toFixed(2)} < ${least}: ${element.outerHTML.slice(0, 160)}`);
  };
  const spoken = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  for (const element of document.body.querySelectorAll(":not(svg, svg *, :disabled, option, style, script, title)")) {
    const typed = element.matches("input, textarea") && element.value;
    if (spoken(element) || typed) check(element, [ink(element, "color")].filter(Boolean), paper(element), 4.5);
  }
  for (const svg of document.querySelectorAll("svg")) {
    const page = paper(svg), tints = [];
    for (const element of svg.querySelectorAll("text, tspan, rect, circle, path, polygon, line")) {
      const box = element.getBoundingClientRect();
      if (!box.width && !box.height) continue;
      const x = box.left + box.width / 2, y = box.top + box.height / 2;
      const inside = (b) => b.left <= x && x <= b.right && b.top <= y && y <= b.bottom;
      const under = tints.filter(([b]) => inside(b)).reduce((at, [, colour]) => over(colour, at), page);
      const fill = element.nodeName === "line" ? null : ink(element, "fill");
      if (element.matches("text, tspan")) {
        if (spoken(element)) check(element, [fill].filter(Boolean), under, 4.5);
        continue;
      }
      const wide = element.nodeName === "rect" && fill && box.width > 200;
      if (wide && fill[3] < 1) tints.push([box, fill]);
      if (wide || /rgba\(128, 128, 128/.test(element.outerHTML)) continue; // a tint, a grid's line
      check(element, [fill, ink(element, "stroke")].filter(Boolean), under, 3);
    }
  }
  return found;
}
