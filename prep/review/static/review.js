// The page: what is wrong, which rows are shown, and what is done to them. The server knows everything; this shows it.

import { Grid, node } from "/static/grid.js";

const token = document.querySelector("meta[name=token]").content;
const at = id => document.getElementById(id);
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const view = { reason: "", state: "open", text: "", place: "", sort: "", dir: "" };
let state = null;
let mapping = null;
let shown = 0;

class Refused extends Error {}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, credentials: "same-origin" });
  } catch {
    throw new Refused("prep review is not running any more. Start it again; all changes were saved.");
  }
  const told = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : {};
  if (answer.ok) return told;
  const error = told.error ?? {};
  throw new Refused([error.message ?? `The server answered ${answer.status}.`, error.hint].filter(Boolean).join(" — "));
}

const send = (name, content = {}) =>
  ask(`/api/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-prep-token": token },
    body: JSON.stringify(content),
  });

function say(text, isBad = false) {
  const told = node("p", isBad ? "bad" : "", text);
  at("said").replaceChildren(told);
  setTimeout(() => told.remove(), isBad ? 12000 : 5000);
}

async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message, true);
    return false;
  }
}

async function change(name, content, words) {
  return attempt(async () => {
    const answer = await send(name, content);
    tell(answer.state);
    if (answer.rows.length) await grid.update(answer.rows);
    else await grid.refresh();
    if (words) say(words(answer));
  });
}

const grid = new Grid(at("grid"), {
  load: async params => {
    const sorted = params.sort?.[0];
    view.sort = sorted ? (sorted.field === "row" ? "-1" : sorted.field.slice(1)) : "";
    view.dir = sorted?.dir ?? "";
    const query = new URLSearchParams({ ...view, page: params.page, size: params.size });
    try {
      const page = await ask(`/api/rows?${query}`);
      shown = page.last_row;
      tellShown();
      return page;
    } catch (error) {
      say(error.message, true);
      return { last_page: 1, last_row: 0, data: [] };
    }
  },
  edit: (id, place, value) => change("edit", { id, place, value }),
  leave: (id, leftOut) => change("leave", { id, leftOut }),
});

function columns() {
  const chosen = state.reasons.find(reason => reason.key === view.reason);
  const first = chosen ? [chosen] : state.reasons;
  const places = first.map(reason => reason.place).filter(place => place !== null);
  const order = [...new Set([...places, ...state.columns.keys()])];
  const has = { message: state.reasons.some(reason => reason.isMarketos), raw: state.reasons.some(isUnreadable) };
  return grid.show(state.columns, order, has);
}

const isUnreadable = reason => ["unreadable_row", "encoding"].includes(reason.code);

// One after the other, so that no older answer comes last.
let mappingTold = Promise.resolve();

function tell(told) {
  const load = () => attempt(loadMapping);
  if (JSON.stringify(told.maps) !== JSON.stringify(state?.maps)) mappingTold = mappingTold.then(load, load);
  state = told;
  const { open, repaired, rows } = told.counts;
  const out = told.counts["left out"];
  document.title = `Review · ${told.folder}`;
  at("folder").textContent = told.folder;
  at("headline").textContent = open ? `${count(open, "row")} to repair` : "Nothing is left to repair";
  at("progress").textContent =
    `${count(rows, "row")} in all: ${repaired.toLocaleString("en")} repaired, ${out.toLocaleString("en")} left out.`;
  at("meter").style.width = `${(100 * (repaired + out)) / rows}%`;
  for (const name of ["undo", "redo"]) {
    at(name).disabled = !told.steps[name];
    at(name).title = "";
  }
  at("run").disabled = false;
  tellReasons(told);
  tellShown();
  at("notices").replaceChildren(...told.notices.map(text => notice(text, told.stale)));
}

function notice(text, isStale) {
  const made = node("div", "notice");
  made.append(node("p", "", text));
  if (isStale && text.includes("Reload them")) {
    const button = node("button", "", "Reload");
    button.type = "button";
    button.addEventListener("click", () => change("reload").then(columns).then(() => grid.refresh(1)));
    made.append(button);
  }
  return made;
}

function tellReasons(told) {
  const all = { key: "", meaning: "All rows", field: "", rows: told.counts.open };
  const focused = document.activeElement?.closest?.("#reasons button") ? view.reason : null;
  at("reasons").replaceChildren(
    ...[all, ...told.reasons].map(reason => {
      const item = node("li", reason.rows ? "" : "none");
      const button = node("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(reason.key === view.reason));
      button.append(node("b", "", reason.meaning), node("span", "number", reason.rows ? reason.rows.toLocaleString("en") : "✓"));
      const title = reason.place === null || reason.place === undefined ? reason.field : told.columns[reason.place].title;
      if (title) button.append(node("small", "", reason.isMarketos ? `${title} · Marketo` : title));
      button.addEventListener("click", () => choose(reason.key));
      item.append(button);
      if (focused === reason.key) setTimeout(() => button.focus());
      return item;
    }),
  );
}

function tellShown() {
  if (!state) return;
  const chosen = state.reasons.find(reason => reason.key === view.reason);
  at("rows-title").textContent = `${count(shown, "row")} shown`;
  at("remedy").textContent = chosen ? `${chosen.meaning}: ${chosen.remedy}.` : "";
  at("accept").hidden = !chosen || chosen.place === null || chosen.isMarketos;
  at("bulk").disabled = !shown;
}

async function choose(reason) {
  view.reason = reason;
  tell(state);
  await columns();
  await grid.refresh(1);
}

function options(select, first) {
  const made = state.columns.map((column, place) => {
    const option = node("option", "", column.title || "(no name)");
    option.value = String(place);
    return option;
  });
  select.replaceChildren(...(first ? [first] : []), ...made);
}

async function loadMapping() {
  mapping = await ask("/api/mapping");
  tellMapping();
}

function fieldChoice(column, index) {
  const select = node("select");
  select.setAttribute("aria-labelledby", `column-${index}`);
  const option = name => {
    const field = mapping.fields.find(one => one.name === name);
    const made = node("option", "", field?.display && field.display !== name ? `${name} · ${field.display}` : name);
    made.value = String(mapping.fields.indexOf(field));
    return made;
  };
  const group = (label, names) => {
    const made = node("optgroup");
    made.label = label;
    made.append(...names.map(option));
    return made;
  };
  const none = node("option", "", "leave the column out");
  none.value = "none";
  const likely = column.likely.filter(name => name !== column.field && mapping.fields.some(one => one.name === name));
  select.append(none, ...(column.field ? [option(column.field)] : []));
  if (likely.length) select.append(group("Likely", likely));
  const fill = () => {  // a column has as many choices as there are fields: made when they are wanted
    if (select.dataset.full) return;
    select.dataset.full = "yes";
    select.append(group("All fields", mapping.fields.map(one => one.name).filter(name => name !== column.field)));
  };
  for (const event of ["pointerdown", "focus"]) select.addEventListener(event, fill);
  select.selectedIndex = column.field ? 1 : 0;
  select.addEventListener("change", tellChosen);
  return select;
}

// The fields that columns are to have where that is another one than in the run.
function chosenMaps() {
  const selects = [...at("mapping").querySelectorAll("select")];
  return mapping.columns.filter(column => !column.isFixed).flatMap((column, index) => {
    const select = selects[index];
    const isSame = select.selectedIndex === (column.field ? 1 : 0);
    if (isSame) return column.isChanged ? [[column.source, column.field ?? ""]] : [];
    return [[column.source, select.value === "none" ? "" : mapping.fields[Number(select.value)].name]];
  });
}

function tellChosen() {
  const maps = chosenMaps();
  const quote = text => (/^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const shown = maps.length ? maps : [["COLUMN", "field"]];
  const flags = shown.map(([header, field]) => `--map ${quote(`${header}=${field}`)}`);
  at("map-apply").disabled = JSON.stringify(maps) === JSON.stringify(orderedMaps());
  at("map-reset").disabled = !state.maps.length;
  at("remap").textContent = `prep clean ${mapping.sources.map(quote).join(" ")} ${flags.join(" ")} -o NEW.prep`;
}

// Those that hold now, in the order of the columns.
const orderedMaps = () =>
  mapping.columns.filter(column => column.isChanged).map(column => [column.source, column.field ?? ""]);

function tellMapping() {
  let free = 0;
  at("mapping").replaceChildren(
    ...mapping.columns.map(column => {
      const row = node("tr", column.isChanged ? "remapped" : "");
      const name = node("td", "name", column.source || "(no name)");
      const field = node("td");
      if (column.isFixed) field.append(node("span", "", column.field ?? "–"));
      else {
        name.id = `column-${free}`;
        field.append(fieldChoice(column, free));
        free += 1;
      }
      field.append(node("small", "", column.isChanged ? "chosen on this page" : column.why));
      row.append(name, field);
      return row;
    }),
  );
  at("map-error").textContent = "";
  const { elsewhere } = mapping;
  at("elsewhere").textContent =
    `${count(elsewhere, "row")} of this run ${elsewhere === 1 ? "is" : "are"} not on this page and ${elsewhere === 1 ? "keeps" : "keep"} ` +
    "the mapping of the run, whether sent or not. To map all rows otherwise, make a new run of the whole file:";
  tellChosen();
}

async function applyMaps(maps) {
  at("map-error").textContent = "";
  try {
    const answer = await send("map", { maps });
    tell(answer.state);
    await mappingTold;
    await columns();
    await grid.refresh(1);
    const { open, repaired } = answer.state.counts;
    say(`Judged anew: ${open.toLocaleString("en")} to repair, ${repaired.toLocaleString("en")} without a reason. Undo takes it back.`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    at("map-error").textContent = error.message;
  }
}

function openBulk() {
  const chosen = state.reasons.find(reason => reason.key === view.reason);
  options(at("changing-place"));
  const place = view.place !== "" ? view.place : chosen?.place;
  if (place !== null && place !== undefined) at("changing-place").value = String(place);
  at("changing-scope").textContent = `${count(shown, "row")}${chosen ? `: ${chosen.meaning}` : ""}${view.text ? ", with the text that you search for" : ""}.`;
  tellBulk();
  at("changing").showModal();
}

function tellBulk() {
  const what = new FormData(at("changing").querySelector("form")).get("what");
  for (const asked of document.querySelectorAll(".asked")) asked.hidden = !asked.dataset.for.split(" ").includes(what);
  at("changing-label").textContent = what === "fill" ? "Value (empty makes the cells blank)" : "Replace with";
  at("changing-hint").textContent = what === "leave" ? "As if their lines were deleted: they stay rejected in this run." : "";
}

async function applyBulk() {
  const what = new FormData(at("changing").querySelector("form")).get("what");
  const place = Number(at("changing-place").value);
  const value = at("changing-value").value;
  const cells = answer => `${count(answer.cells, what === "replace" || what === "fill" ? "cell" : "row")} changed. Undo takes it back.`;
  if (what === "replace") await change("replace", { view, place, find: at("changing-find").value, value }, cells);
  else if (what === "fill") await change("fill", { view, place, value }, cells);
  else await change("leave", { view, leftOut: what === "leave" }, cells);
}

async function makeRun() {
  at("run").disabled = true;
  say("Making the new run …");
  const isMade = await attempt(async () => {
    const { run, state: told } = await send("run");
    tell(told);
    at("said").replaceChildren();
    at("ended-title").textContent = `${count(run.counts.ready, "row")} ready in ${run.folder}`;
    const { read, rejected, duplicate } = run.counts;
    at("ended-text").textContent = `${count(read, "row")} tried again: ${rejected.toLocaleString("en")} rejected, ` +
      `${duplicate.toLocaleString("en")} duplicate. Nothing was sent. This run stays as it is.`;
    at("ended-command").textContent = run.command;
    at("ended-why").textContent = run.why;
    at("ended").showModal();
  });
  if (!isMade) at("run").disabled = false;
}

async function finish() {
  await attempt(() => send("done"));
  at("ended").close();
  document.querySelector(".bench").hidden = true;
  at("said").replaceChildren();
  at("goodbye").hidden = false;
}

async function turn(name, words) {
  const before = JSON.stringify(state.maps);
  await change(name, {}, () => words);
  if (JSON.stringify(state.maps) !== before) await columns();
}
const undo = () => turn("undo", "Taken back.");
const redo = () => turn("redo", "Done again.");

at("undo").addEventListener("click", undo);
at("redo").addEventListener("click", redo);
at("run").addEventListener("click", makeRun);
at("done").addEventListener("click", finish);
at("ended-done").addEventListener("click", finish);
at("ended-back").addEventListener("click", () => at("ended").close());
at("bulk").addEventListener("click", openBulk);
at("map-apply").addEventListener("click", () => applyMaps(chosenMaps()));
at("map-reset").addEventListener("click", () => applyMaps([]));
at("accept").addEventListener("click", () =>
  change("accept", { view, reason: view.reason }, answer => `${count(answer.cells, "suggestion")} taken. Undo takes it back.`));
at("changing-cancel").addEventListener("click", () => at("changing").close());
at("changing").addEventListener("change", tellBulk);
at("changing").querySelector("form").addEventListener("submit", applyBulk);
at("state").addEventListener("change", event => {
  view.state = event.target.value;
  grid.refresh(1);
});
at("place").addEventListener("change", event => {
  view.place = event.target.value;
  if (view.text) grid.refresh(1);
});
let typing;
at("text").addEventListener("input", event => {
  view.text = event.target.value;
  clearTimeout(typing);
  typing = setTimeout(() => grid.refresh(1), 200);
});
document.addEventListener("keydown", event => {
  if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea") || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo();
  else undo();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !state) return;
  attempt(async () => {
    const told = await ask("/api/state");
    const isOther = told.version !== state.version;
    tell(told);
    if (isOther) await grid.refresh();
  });
});

await attempt(async () => {
  tell(await ask("/api/state"));
  options(at("place"), at("place").firstElementChild);
  await columns();
  await grid.refresh(1);
  await mappingTold;
  document.body.dataset.ready = "yes";
});
