"use strict";
// Sorting, filtering, the protocol switch, the runs behind a number, figures. Tables and verdicts need none of it.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);
const chosen = () => one("input[name=protocol]:checked").value;
const fits = (protocol) => !protocol || chosen() === "both" || protocol === chosen();

for (const item of all(".controls, .tools, .scripted, #figures-intro")) item.hidden = false;

// Theme: the system's until the button says otherwise; remembered where the browser lets a file remember.
const dark = one("button.theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const remembered = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("theme", value); } catch { /* a file may not remember */ } } };
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
const showTheme = () => dark.setAttribute("aria-pressed", String(isDark()));
if (["dark", "light"].includes(remembered.get())) document.documentElement.dataset.theme = remembered.get();
showTheme();
system.addEventListener("change", showTheme);
dark.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  remembered.set(document.documentElement.dataset.theme);
  showTheme();
});

// Tables: by value where a cell has one, by text elsewhere; what was not measured stays last.
const key = (row, place) => {
  const cell = row.cells[place];
  if ("v" in cell.dataset) return Number(cell.dataset.v);
  const text = cell.textContent.trim();
  return text === "-" ? null : text.toLowerCase();
};
const order = (a, b) => {
  if (a === null || b === null) return 0;
  if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  return typeof a === "number" ? -1 : 1;
};
const sort = (table, head) => {
  const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
  const keyed = [...table.tBodies[0].rows].map((row) => [key(row, head.cellIndex), row]);
  keyed.sort(([a], [b]) => (a === null) - (b === null) || (direction === "ascending" ? order(a, b) : order(b, a)));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
};
const filter = (block) => {
  const words = one("input[type=search]", block).value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...one("tbody", block).rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !fits(row.dataset.protocol) || !words.every((word) => text.includes(word));
  }
  const left = rows.filter((row) => !row.hidden).length;
  one(".count", block).textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
  one(".nothing", block).hidden = left > 0;
};
const blocks = all(".table").filter((block) => one("tbody", block));
for (const block of blocks) {
  for (const head of all("th", block)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(one("table", block), head));
    head.append(button);
  }
  one("input[type=search]", block).addEventListener("input", () => filter(block));
}

// One stop of the Tab key a table; arrow keys go on from there, over rows that are shown.
const numbers = "td button[data-runs]";
for (const table of all("tbody")) for (const [place, button] of all(numbers, table).entries()) button.tabIndex = place ? -1 : 0;
const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
document.addEventListener("keydown", (event) => {
  const from = event.target.closest?.(numbers);
  const move = moves[event.key];
  if (!from || !move || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const cell = from.closest("td");
  const rows = [...cell.closest("tbody").rows].filter((row) => !row.hidden);
  let [row, place] = [rows.indexOf(cell.parentElement), cell.cellIndex];
  do [row, place] = [row + move[0], place + move[1]];
  while (rows[row]?.cells[place] && !one("button", rows[row].cells[place]));
  const to = rows[row]?.cells[place] && one("button", rows[row].cells[place]);
  if (!to) return;
  to.focus();
});
document.addEventListener("focusin", (event) => {
  const button = event.target.closest?.(numbers);
  if (!button) return;
  for (const other of all(`${numbers}[tabindex="0"]`, button.closest("tbody"))) other.tabIndex = -1;
  button.tabIndex = 0;
});
const reachable = (block) => {
  const buttons = all(numbers, block);
  const first = buttons.find((button) => !button.closest("tr").hidden);
  if (!first || buttons.some((button) => button.tabIndex === 0 && !button.closest("tr").hidden)) return;
  for (const button of buttons) button.tabIndex = button === first ? 0 : -1;
};

// Provenance: the rows of the table of runs that a number was computed from.
const dialog = one("dialog");
const runs = one("table.runs");
const byNumber = runs ? [...runs.tBodies[0].rows] : []; // as written, whatever the table is sorted by later
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-runs]");
  if (!button) return;
  const cell = button.closest("td");
  const column = cell && one(`thead th:nth-child(${cell.cellIndex + 1})`, cell.closest("table")).textContent.trim();
  const behind = button.dataset.runs.split(" ").map((number) => byNumber[number].cloneNode(true));
  const what = `${column ?? "measured"}: ${button.textContent.trim()}`;
  one(".what", dialog).textContent = `${what} — ${behind.length} ${behind.length === 1 ? "run" : "runs"}`;
  const table = document.createElement("table");
  const heads = document.createElement("tr");
  for (const head of all("thead th", runs)) {
    const copy = document.createElement("th");
    copy.scope = "col";
    copy.className = head.className;
    copy.textContent = head.textContent;
    heads.append(copy);
  }
  table.createTHead().append(heads);
  for (const row of behind) { row.hidden = false; row.removeAttribute("id"); }
  table.createTBody().append(...behind);
  one(".scroll", dialog).replaceChildren(table);
  dialog.showModal();
});
one(".close", dialog).addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// Figures: colours come from the style sheet, so that theme and print need no second drawing.
const line = "var(--rule)";
const look = {
  background: null, font: "system-ui, sans-serif", aria: false,
  style: { "guide-label": { fill: "var(--muted)", fontSize: 12 }, "guide-title": { fill: "var(--ink)", fontSize: 12, fontWeight: 500 },
    "group-title": { fill: "var(--ink)", fontSize: 13 }, cell: { stroke: "transparent" } },
  axis: { domainColor: line, tickColor: line, gridColor: line, labelColor: "var(--muted)", titleColor: "var(--ink)" },
  legend: { labelColor: "var(--muted)", titleColor: "var(--ink)" },
  header: { labelColor: "var(--ink)", titleColor: "var(--ink)" }, title: { color: "var(--ink)", subtitleColor: "var(--muted)" },
  text: { color: "var(--ink)" }, rule: { color: "var(--muted)" },
};
const unpacked = async () => {
  const bytes = Uint8Array.from(atob(one("#charts").textContent), (letter) => letter.charCodeAt(0));
  return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
};
const ofProtocol = (row) => !row || typeof row.protocol !== "string" || fits(row.protocol.split(",")[0]);
const narrowed = (node) => { // the same specification with the rows of the chosen protocol alone
  if (Array.isArray(node)) return node.map(narrowed);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([name, value]) => {
    const isData = Array.isArray(value) && (name === "values" || value[0]?.protocol !== undefined);
    return [name, isData ? value.filter(ofProtocol) : narrowed(value)];
  }));
};
const sized = async (view, { usermeta, params, data }) => { // as high as the rows of the setting chosen need
  if (!usermeta?.step) return;
  const menu = params.some(({ name }) => name === "setting");
  const resize = () => {
    const own = data.values.filter((row) => row.setting === (menu ? view.signal("setting") : 0));
    return view.height(usermeta.step * new Set(own.map((row) => row[usermeta.by])).size).runAsync();
  };
  if (menu) view.addSignalListener("setting", resize);
  await resize();
};
const drawn = new Map();
const draw = async (figure, specs) => {
  const twin = chosen() === "both" ? figure.id : figure.id.replace(/-(paper|released)$/, `-${chosen()}`);
  figure.hidden = twin !== figure.id && document.getElementById(twin) !== null; // its other protocol's figure stands for it
  const plot = one(".plot", figure);
  if (!plot) return;
  const protocols = figure.dataset.protocols.split(" ").filter(Boolean);
  const about = !protocols.length || protocols.some(fits);
  const [note, box] = [one(".nothing", figure), plot.closest(".scroll")];
  box.hidden = one(".binds", figure).hidden = !about;
  note.hidden = about;
  note.textContent = about ? "" : `No run of this figure follows the ${chosen()} protocol.`;
  const state = protocols.length > 1 ? chosen() : "both";
  if (!about || drawn.get(figure)?.state === state) return;
  const spec = state === "both" ? specs[plot.dataset.chart] : narrowed(specs[plot.dataset.chart]);
  drawn.get(figure)?.view.finalize();
  drawn.set(figure, { state, view: { finalize() {} } });
  const options = { ast: true, actions: false, renderer: "svg", logLevel: 1, defaultStyle: false, config: look, bind: one(".binds", figure),
    tooltip: { disableDefaultStyle: true, theme: "page" } };
  try {
    const made = await vegaEmbed(plot, spec, options);
    drawn.set(figure, { state, view: made });
    await sized(made.view, spec);
  } catch (error) {
    console.error(error);
    [note.hidden, note.textContent] = [false, "This figure cannot be drawn here; the folder figures has it for print."];
  }
};

// The protocol switch reaches everything.
let specs = {};
const show = async () => {
  for (const item of all(".finding")) item.hidden = !fits(item.dataset.protocol);
  for (const card of all("article.claim")) card.hidden = all(".finding", card).every((item) => item.hidden);
  for (const block of blocks) { filter(block); reachable(block); }
  for (const figure of all("figure")) await draw(figure, specs);
  document.documentElement.dataset.drawn = chosen();
};
for (const radio of all("input[name=protocol]")) radio.addEventListener("change", show);
const start = async () => {
  for (const block of blocks) filter(block);
  if (one(".plot")) specs = await unpacked();
  await show();
};
start();
