// The live page: asks for the state once a second and shows it; starts, changes and stops runs.
"use strict";
const base = location.pathname.replace(/\/$/, "");
$("back").href = base.replace(/\/bench$/, "") + "/";
let points = [], run = "", failing = 0, judged = "";
const variants = state => (state.plan ? state.plan.variants.map(one => one.name) : []).filter(name => name in state.variants);
function draw(state) {
  const names = variants(state), of = (name, key) => points.map(point => point.variants[name] ? point.variants[name][key] : null);
  const kinds = [...new Set(points.flatMap(point => Object.values(point.variants).flatMap(one => Object.keys(one.failed))))].sort();
  const total = kind => points.map(point => Object.values(point.variants).reduce((sum, one) => sum + (one.failed[kind] || 0), 0));
  const marks = state.events.filter(event => event.mark && event.run === run), lines = {points, marks};
  const both = prefix => ["p50", "p99"].flatMap(q => names.map((name, n) => ({name: `${name} ${q}`, values: of(name, (prefix && prefix + "_") + q),
    colour: COLOURS[n % 4], ...(q === "p99" ? {dash: "4 3"} : {})})));
  const asked = names.length > 1 ? "asked of all" : "asked";
  const charts = [
    chart("Requests a second", [...(points.some(point => point.asked) ? [{name: asked, values: points.map(point => point.asked), colour: "var(--faint)", dash: "4 3"}] : []),
      ...names.map((name, n) => ({name, values: of(name, "answered"), colour: COLOURS[n % 4]}))], lines),
    chart("Response time, ms, last 10 s", both(""), lines),
    ...(points.some(point => names.some(name => point.variants[name]?.first_p50 != null)) ? [
      chart("Time to first token, ms, last 10 s", both("first"), lines), chart("Time per output token, ms, last 10 s", both("each"), lines)] : []),
    chart(kinds.length ? "Failures a second, by cause" : "Failures a second: none", kinds.map((kind, n) => ({name: kind, values: total(kind), colour: COLOURS[(n + 1) % 4]})), {...lines, stacked: true}),
    chart("Schedule lag, ms", [{name: "oldest overdue arrival", values: points.map(point => point.lag_ms)}], lines),
  ];
  $("charts").replaceChildren(...charts);
}
function show(state) {
  if (state.run_id !== run) { run = state.run_id; points = []; }
  points.push(...state.points); if (points.length > 1200) points = points.filter((_, n) => n % 2 === 0);
  const words = {ready: "No run yet", running: "Running", ended: "Ended: " + state.ending}, plan = state.plan;
  const lasts = plan && plan.duration_s ? ` of ${plan.warm_up_s + plan.duration_s}` : "", now = points.length ? Math.round(points.at(-1).at_s) : 0;
  for (const part of document.querySelectorAll(".seen")) part.hidden = state.state === "ready" && !state.events.length;
  $("title").textContent = (words[state.state] || state.state) + (state.state === "running" ? `, ${now}${lasts} s` : "") + (run ? " · " + run : "");
  document.title = words[state.state] || "Live page";
  $("plan").textContent = plan ? [plan.variants.map(one => `${one.name} (${one.auth_mode}) ${one.uri}`).join(" against "),
    plan.arrival_rate ? plan.arrival_rate + " arrivals/s" : "back to back", plan.users + " users",
    plan.duration_s ? plan.warm_up_s + " s warm-up, " + plan.duration_s + " s" : "until it is stopped"].join(", ") : "";
  if (state.error && state.error !== $("error").textContent) setTimeout(() => $("error").scrollIntoView({block: "nearest"}), 0);
  $("error").hidden = !state.error; $("error").textContent = state.error;
  const verdict = state.state === "ended" && state.verdict && state.verdict.run_id === run ? state.verdict : null;
  $("verdict").hidden = !verdict;
  const said = JSON.stringify(verdict);
  if (verdict && said !== judged) { // made anew it would lose the focus, and be read aloud once more
    judged = said;
    const link = element("a", "open the report", {href: `${base}/runs/${verdict.run_id}/report.html`});
    $("verdict").className = verdict.verdict;
    $("verdict").replaceChildren(element("strong", verdict.verdict), " ", link, ...verdict.reasons.map(reason => element("div", reason)),
      ...verdict.gates.map(gate => element("div", gate)));
  }
  $("lights").replaceChildren(...state.lights.map(light => element("li", `${light.name}: ${light.text}`, {class: light.state, title: light.state})));
  draw(state);
  table("variants", ["variant", "requests", "a second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "service p50 ms", "service p99 ms", "p99 of all, ms",
    "replays", "did not succeed"], state.rows.variants);
  $("streamed").hidden = !state.rows.streams.length;
  table("streams", ["variant", "first token p50 ms", "p99 ms", "p99 of all, ms", "per output token p50 ms", "p99 ms", "tokens a second", "tokens"],
    state.rows.streams);
  table("leases", ["variant", "auth mode", "lease", "freshness", "renewed in", "life left", "fetches by cause", "failed", "longest wait, ms", "waiting users",
    "last error"], state.rows.leases);
  table("workers", ["worker", "CPU", "overdue ms"], state.rows.workers);
  $("events").replaceChildren(...state.events.slice().reverse().map(event => element("li", `${event.at_s.toFixed(1)} s  ${event.text}`)));
  showRuns(state.runs);
  showForm(state);
  $("drill").hidden = !state.faults.length || state.state !== "running";
  if ($("faults").childElementCount !== state.faults.length) $("faults").replaceChildren(...state.faults.map(name => {
    const button = element("button", name, {type: "button"});
    button.onclick = () => fetch(base + "/fault", {method: "POST", body: new URLSearchParams({name})}).then(tick);
    return button;
  }));
}
// -- runs before this one ---------------------------------------------------------------------------
let listed = "";
function showRuns(runs) {
  $("before").hidden = !runs.length;
  if (listed === runs.join()) return;
  listed = runs.join();
  const chosen = new Set([...document.querySelectorAll("#runs input:checked")].map(box => box.value));
  $("runs").replaceChildren(...runs.map(id => {
    const row = element("li"), label = element("label"), box = element("input", null, {type: "checkbox", value: id, "aria-label": "compare " + id});
    box.checked = chosen.has(id);
    label.append(box); row.append(label, " ", element("a", id, {href: `${base}/runs/${id}/report.html`}));
    return row;
  }));
}
$("compare").onclick = async () => {
  const ids = [...document.querySelectorAll("#runs input:checked")].map(box => box.value);
  const answers = await Promise.all(ids.map(id => fetch(`${base}/runs/${id}/figures`).then(answer => answer.ok ? answer.json() : null)));
  const found = answers.filter(one => one);
  const sides = found.flatMap(one => one.rows.map(([name]) => ({name, times: one.variants[name.slice(one.run_id.length + 1)]})));
  $("compared").hidden = false;
  $("curves").replaceChildren(sides.length ? quantileChart("Response time by quantile, ms", sides) : element("p", "Choose runs first."));
  table("figures", ["run, variant", "verdict", "a second", "failed", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms"], found.flatMap(one => one.rows));
};

// -- starting, changing and stopping a run ----------------------------------------------------------
const LIVE = plan => plan && plan.arrival_rate ? ["user_count", "arrival_rate"] : ["user_count"];
function field(one) {
  const row = element("div", null, {class: "field"}), id = "field-" + one.name, help = `${one.help}${one.unit ? ` (${one.unit})` : ""}`;
  const input = one.choices.length ? element("select", null, {id, name: one.name}) : element("input", null, {id, name: one.name,
    type: one.switch ? "checkbox" : "text", autocomplete: "off"});
  for (const choice of one.choices) input.append(element("option", choice, {value: choice}));
  if (one.switch) input.checked = one.value === true; else input.value = one.value ?? "";
  input.setAttribute("aria-describedby", `${id}-help ${id}-wrong`);
  row.append(element("label", one.label, {for: id}), input, element("small", help, {id: id + "-help", class: "faint"}),
    element("strong", "", {id: id + "-wrong", class: "wrong", role: "alert"}));
  return row;
}
async function loadForm() {
  if ($("load").dataset.starts !== "yes") { $("start").hidden = $("back").hidden = $("bound").hidden = true; return; }
  const answer = await fetch(base + "/form");
  const groups = await answer.json();
  $("groups").replaceChildren(...groups.map(group => {
    const set = element("fieldset"); set.append(element("legend", group.title), ...group.fields.map(field)); return set;
  }));
}
let load = "", seen = false;
function showForm(state) {
  const runs = state.state === "running", plan = state.plan, now = runs ? `${plan.users}/${plan.arrival_rate}` : "";
  if (runs && now !== load) for (const [name, value] of [["user_count", plan.users], ["arrival_rate", plan.arrival_rate]])
    if ($("field-" + name) && value != null) $("field-" + name).value = value; // also where somebody else has changed it
  if (!runs || $("field-user_count")) load = now;
  if (!seen && state.state === "ready") $("load").open = true; // never closed: a person may have opened it meanwhile
  seen = true;
  for (const input of $("groups").querySelectorAll("input, select")) input.disabled = runs && !LIVE(state.plan).includes(input.name);
  $("start").textContent = runs ? "Change the load" : "Start";
  $("stop").hidden = !runs;
}
function sayWrong(message) {
  document.querySelectorAll(".wrong").forEach(one => { one.textContent = ""; });
  if (!message) return;
  const words = message.toLowerCase().split(/[^a-z_-]+/).map(word => word.replace(/^-+/, "").replaceAll("-", "_"));
  const input = [...$("groups").querySelectorAll("input, select")].find(one => words.includes(one.name));
  const where = input ? $(`field-${input.name}-wrong`) : $("wrong");
  where.textContent = message;
  if (input) input.focus();
}
$("form").onsubmit = async event => {
  event.preventDefault();
  const body = new URLSearchParams();
  for (const input of $("groups").querySelectorAll("input, select"))
    if (!input.disabled || input.name === "spawn_rate") body.append(input.name, input.type === "checkbox" ? String(input.checked) : input.value);
  const answer = await fetch(base.replace(/\/bench$/, "") + "/swarm", {method: "POST", body});
  const said = answer.headers.get("Content-Type").includes("json") ? await answer.json() : {success: false, message: await answer.text()};
  sayWrong(said.success ? "" : said.message || "Locust did not take it");
  tick();
};
$("stop").onclick = () => fetch(base.replace(/\/bench$/, "") + "/stop", {method: "POST"}).then(tick);
loadForm();
let timer = 0;
async function tick() {
  clearTimeout(timer);
  try {
    const since = points.length ? points.at(-1).at_s : -1, answer = await fetch(`${base}/state?since=${since}`);
    const state = await answer.json();
    if (run && state.run_id !== run && since >= 0) { points = []; run = ""; timer = setTimeout(tick, 0); return; }
    failing = 0; show(state);
  } catch (failure) {
    if (++failing > 2) { $("error").hidden = false; $("error").textContent = "Locust does not answer: has it ended?"; }
  }
  timer = setTimeout(tick, 1000);
}
tick();
