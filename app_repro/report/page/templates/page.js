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
const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("group"));
const sort = (table, head) => { // within each group
  const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of all("thead th[aria-sort]", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
  for (const body of table.tBodies) {
    const keyed = rowsOf(body).map((row) => [key(row, head.cellIndex), row]);
    keyed.sort(([a], [b]) => (a === null) - (b === null) || (direction === "ascending" ? order(a, b) : order(b, a)));
    body.append(...keyed.map(([, row]) => row));
  }
};
const heading = (body) => one("tr.group", body);
const fold = (body, closed) => {
  body.classList.toggle("closed", closed);
  one("button", heading(body)).setAttribute("aria-expanded", String(!closed));
};
const filter = (block) => {
  const words = one("input[type=search]", block).value.toLowerCase().split(/\s+/).filter(Boolean);
  let [left, count] = [0, 0];
  for (const body of one("table", block).tBodies) {
    const group = heading(body);
    let shown = 0;
    for (const row of rowsOf(body)) {
      const text = `${group ? group.textContent : ""} ${row.textContent}`.toLowerCase();
      row.hidden = !fits(row.dataset.protocol) || !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
      count += 1;
    }
    if (group) group.hidden = shown === 0;
    if (group && words.length && shown) fold(body, false);
    left += shown;
  }
  one(".count", block).textContent = left === count ? `${left} rows` : `${left} of ${count} rows`;
  one(".nothing", block).hidden = left > 0;
};
const blocks = all(".table").filter((block) => one("tbody", block));
const pressed = (head, action) => { // what a heading says becomes a button
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", action);
  head.append(button);
  return button;
};
for (const block of blocks) {
  for (const head of all("thead th", block)) pressed(head, () => sort(one("table", block), head));
  for (const body of one("table", block).tBodies) {
    if (!heading(body)) continue;
    pressed(one("th", heading(body)), () => { fold(body, !body.classList.contains("closed")); reachable(block); });
    fold(body, body.classList.contains("closed"));
  }
  one("input[type=search]", block).addEventListener("input", () => { filter(block); reachable(block); });
}

// One stop of the Tab key a table; arrow keys go on from there, over rows that are shown.
const numbers = "td button[data-runs]";
const visible = (row) => !row.hidden && !row.closest("tbody").classList.contains("closed");
for (const table of all("table")) for (const [place, button] of all(numbers, table).entries()) button.tabIndex = place ? -1 : 0;
const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
document.addEventListener("keydown", (event) => {
  const from = event.target.closest?.(numbers);
  const move = moves[event.key];
  if (!from || !move || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const cell = from.closest("td");
  const rows = all("tbody tr:not(.group)", cell.closest("table")).filter(visible);
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
  for (const other of all(`${numbers}[tabindex="0"]`, button.closest("table"))) other.tabIndex = -1;
  button.tabIndex = 0;
});
const reachable = (block) => {
  const buttons = all(numbers, block);
  const first = buttons.find((button) => visible(button.closest("tr")));
  if (!first || buttons.some((button) => button.tabIndex === 0 && visible(button.closest("tr")))) return;
  for (const button of buttons) button.tabIndex = button === first ? 0 : -1;
};

// Provenance: the rows of the table of runs that a number was computed from.
const dialog = one("dialog");
const runs = one("table.runs");
const byNumber = runs ? all("tbody tr", runs) : []; // as written, whatever the table is sorted by later
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
const drawn = new Map(); // figure -> the setting it shows and its views
const menuOf = (figure) => one("select", figure);
const offer = (figure) => { // the settings of the chosen protocol; the first of them, if the one shown is not among them
  const menu = menuOf(figure);
  for (const option of menu.options) option.hidden = option.disabled = !option.dataset.protocols.split(" ").some(fits);
  if (menu.selectedOptions[0]?.disabled ?? true) menu.value = [...menu.options].find((option) => !option.disabled)?.value ?? "";
  one(".menu", figure).hidden = [...menu.options].filter((option) => !option.disabled).length < 2;
  return menu.value;
};
const draw = async (figure, specs) => {
  const place = one(".views", figure);
  if (!place) return;
  const setting = offer(figure);
  const note = one(".nothing", figure);
  place.hidden = setting === "";
  note.hidden = setting !== "";
  note.textContent = setting === "" ? `No run of this figure follows the ${chosen()} protocol.` : "";
  for (const [number, words] of all(".words li", figure).entries()) words.hidden = String(number) !== setting;
  if (setting === "" || drawn.get(figure)?.setting === setting) return;
  for (const view of drawn.get(figure)?.views ?? []) view.finalize();
  const views = [];
  drawn.set(figure, { setting, views });
  place.setAttribute("aria-label", all(".words li", figure)[setting].textContent);
  const options = { ast: true, actions: false, renderer: "svg", logLevel: 1, defaultStyle: false, config: look,
    tooltip: { disableDefaultStyle: true, theme: "page" } };
  const specsOfSetting = specs[place.dataset.figure][setting];
  const plots = specsOfSetting.map(() => {
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("aria-hidden", "true");
    return plot;
  });
  place.replaceChildren(...plots);
  try {
    for (const [number, plot] of plots.entries()) views.push(await vegaEmbed(plot, specsOfSetting[number], options));
  } catch (error) {
    console.error(error);
    [note.hidden, note.textContent] = [false, "This figure cannot be drawn here; the folder figures has it for print."];
  }
};

// The protocol switch reaches everything.
let specs = {};
const show = async () => {
  for (const item of all(".finding, .elsewhere")) item.hidden = !fits(item.dataset.protocol);
  for (const card of all("article.claim")) card.hidden = all(".finding", card).every((item) => item.hidden);
  for (const block of blocks) { filter(block); reachable(block); }
  for (const figure of all("figure")) await draw(figure, specs);
  document.documentElement.dataset.drawn = chosen();
};
for (const radio of all("input[name=protocol]")) radio.addEventListener("change", show);
for (const menu of all("figure select")) menu.addEventListener("change", () => draw(menu.closest("figure"), specs));
const folded = []; // what print opens and closes again
matchMedia("print").addEventListener("change", ({ matches }) => {
  if (matches) folded.push(...all("details:not([open])"));
  for (const item of matches ? folded : folded.splice(0)) item.open = matches;
});
const start = async () => {
  for (const block of blocks) filter(block);
  if (one(".views")) specs = await unpacked();
  await show();
};
start();
