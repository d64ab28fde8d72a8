// Elements, tables and charts of the live page. Text is only ever set as text: nothing here is parsed as HTML.
"use strict";
const $ = id => document.getElementById(id);
const COLOURS = ["var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)"];
function element(name, text, attributes = {}) {
  const made = name in {svg: 1, path: 1, text: 1, line: 1, title: 1, rect: 1}
    ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  if (text != null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function table(id, head, rows) {
  const body = rows.map(cells => { const row = element("tr"); row.append(...cells.map(cell => element("td", cell))); return row; });
  const top = element("tr"); top.append(...head.map(word => element("th", word, {scope: "col"})));
  $(id).replaceChildren(top, ...body);
}
const MARKS = {refresh: ["var(--faint)", "1 3"], fault: ["var(--doubtful)", ""], loss: ["var(--bad)", ""], change: ["var(--c0)", "6 3"]};
// A number for an axis: no more digits than it needs.
const short = value => Number(value.toPrecision(3)).toLocaleString("en");
// The end of an axis that holds `most`: twice 1, 2, 2.5 or 5 of some power of ten, so that its half is a round number too.
function niceEnd(most) {
  const power = 10 ** Math.floor(Math.log10(most / 2 || 1));
  return 2 * power * [1, 2, 2.5, 5, 10].find(step => 2 * power * step >= most * (1 - 1e-9));
}
// As wide as it will be drawn, or its letters would be stretched.
const widthOf = id => $(id).querySelector("svg")?.clientWidth || Math.max($(id).clientWidth - 22, 0) || 400;
function chart(title, series, {points, stacked = false, marks = []}) {
  const W = widthOf("charts"), H = 144, L = 44, B = 16, figure = element("figure"), caption = element("figcaption", title);
  const times = points.map(point => point.at_s), end = Math.max(10, ...times.slice(-1)), begin = Math.max(0, (times[0] || 0) - 1);
  const values = stacked ? points.map((_, n) => series.reduce((sum, one) => sum + (one.values[n] || 0), 0))
    : series.flatMap(one => one.values.filter(value => value != null));
  const top = niceEnd(Math.max(...values, 0) || 1);
  const x = at => L + (W - L - 4) * (at - begin) / (end - begin || 1), y = value => H - B - (H - B - 6) * value / top;
  const drawing = element("svg", null, {viewBox: `0 0 ${W} ${H}`, role: "img", preserveAspectRatio: "none"});
  for (const share of [0, .5, 1]) {
    drawing.append(element("line", null, {x1: L, x2: W, y1: y(top * share), y2: y(top * share), stroke: "var(--edge)"}),
      element("text", short(top * share), {x: 0, y: y(top * share) + 3}));
  }
  drawing.append(element("text", Math.round(begin) + " s", {x: L, y: H - 3}),
    element("text", Math.round(end) + " s", {x: W - 4, y: H - 3, "text-anchor": "end"}));
  for (const mark of marks.filter(one => one.at_s >= begin && one.at_s <= end)) {
    const [colour, dashes] = MARKS[mark.mark], at = x(mark.at_s);
    const line = element("line", null, {x1: at, x2: at, y1: 4, y2: H - B, stroke: colour, "stroke-dasharray": dashes,
      "vector-effect": "non-scaling-stroke", "class": "mark"});
    line.append(element("title", `${mark.at_s} s  ${mark.text}`));
    drawing.append(line);
  }
  let under = points.map(() => 0);
  series.forEach((one, n) => {
    const colour = one.colour || COLOURS[n % COLOURS.length];
    if (stacked) {
      const over = under.map((value, k) => value + (one.values[k] || 0));
      const way = times.map((at, k) => `${x(at)},${y(over[k])}`).concat(times.map((at, k) => `${x(at)},${y(under[k])}`).reverse());
      if (way.length) drawing.append(element("path", null, {d: "M" + way.join("L") + "Z", fill: colour, "fill-opacity": .6}));
      under = over;
    } else {
      let way = "", down = false;
      one.values.forEach((value, k) => { if (value == null) { down = false; return; } way += (down ? "L" : "M") + x(times[k]).toFixed(1) + " " + y(value).toFixed(1); down = true; });
      if (way) drawing.append(element("path", null, {d: way, fill: "none", stroke: colour, "stroke-width": 1.6, "stroke-dasharray": one.dash || "", "vector-effect": "non-scaling-stroke"}));
    }
    const name = element("span", null, {class: "name"}), key = element("span", null, {class: one.dash ? "key dashed" : "key"});
    key.style.background = one.dash ? `repeating-linear-gradient(90deg, ${colour} 0 4px, transparent 4px 7px)` : colour; name.append(key, one.name); caption.append(name, " ");
  });
  drawing.append(element("title", title + ": " + series.map(one => one.name + " " + (one.values.at(-1) == null ? "–" : short(one.values.at(-1)))).join(", ")));
  figure.append(caption, drawing);
  return figure;
}
function quantileChart(title, curves) {
  const names = ["p50", "p90", "p95", "p99", "p99.9"];
  const W = widthOf("curves"), H = 144, L = 56, B = 16, figure = element("figure"), caption = element("figcaption", title);
  const known = curves.flatMap(curve => names.map(name => curve.times[name])).filter(value => value > 0);
  const low = Math.log(Math.min(...known, 1e9) * .9), high = Math.log(Math.max(...known, 1e-9) * 1.1);
  const x = n => L + (W - L - 20) * n / (names.length - 1), y = value => H - B - (H - B - 8) * (Math.log(value) - low) / (high - low || 1);
  const drawing = element("svg", null, {viewBox: `0 0 ${W} ${H}`, role: "img", preserveAspectRatio: "none"});
  names.forEach((name, n) => drawing.append(element("text", name, {x: x(n) - 8, y: H - 3})));
  if (known.length) for (const value of [Math.exp(low), Math.exp((low + high) / 2), Math.exp(high)])
    drawing.append(element("line", null, {x1: L, x2: W, y1: y(value), y2: y(value), stroke: "var(--edge)"}),
      element("text", short(value), {x: 0, y: y(value) + 3}));
  curves.forEach((curve, n) => {
    const way = names.map((name, k) => [curve.times[name], k]).filter(([value]) => value > 0).map(([value, k]) => `${x(k)} ${y(value)}`);
    const colour = COLOURS[n % COLOURS.length], dash = n >= COLOURS.length ? "5 3" : "";
    if (way.length) drawing.append(element("path", null, {d: "M" + way.join("L"), fill: "none", stroke: colour, "stroke-width": 1.6,
      "stroke-dasharray": dash, "vector-effect": "non-scaling-stroke"}));
    const name = element("span", null, {class: "name"}), key = element("span", null, {class: "key"});
    key.style.background = colour; name.append(key, curve.name); caption.append(name, " ");
  });
  drawing.append(element("title", title));
  figure.append(caption, drawing);
  return figure;
}
