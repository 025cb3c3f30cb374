// The table: remote pages of rows, cells with their reasons, the keyboard. Data becomes text nodes only.

const MARKS = { open: ["to repair", "open"], repaired: ["repaired", "repaired"], "left out": ["left out", "out"] };
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function node(name, classes, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

export class Grid {
  constructor(element, { load, edit, leave }) {
    this.element = element;
    this.actions = { edit, leave };
    this.formats = new Map();
    this.loading = this.turn = Promise.resolve();
    this.pending = 0;
    this.table = new Tabulator(element, {
      layout: "fitDataFill",
      maxHeight: "max(24rem, calc(100vh - 13rem))",
      renderVertical: "basic",
      ajaxURL: "/api/rows",
      ajaxRequestFunc: (_url, _config, params) => this.track(load(params)),
      dataLoader: false,
      pagination: true,
      paginationMode: "remote",
      paginationSize: 50,
      paginationCounter: "rows",
      sortMode: "remote",
      editTriggerEvent: "click",
      keybindings: false,
      placeholder: "No rows to show here.",
      index: "id",
      columns: [],
      rowFormatter: row => row.getElement().classList.toggle("row-out", row.getData().state === "left out"),
    });
    this.ready = new Promise(resolve => this.table.on("tableBuilt", resolve));
    this.table.on("cellEdited", cell => this.edited(cell));
    this.table.on("renderComplete", () => this.rove());
    element.addEventListener("keydown", event => this.pressed(event));
    element.addEventListener("focusin", event => {
      const cell = event.target.closest(".tabulator-cell");
      if (cell) this.rove(cell);
    });
  }

  async show(columns, order, has) {
    await this.ready;
    const shown = order.map(place => ({
      field: `c${place}`,
      title: `c${place}`,
      titleFormatter: () => this.title(columns[place]),
      formatter: cell => this.cell(cell, place),
      editor: (cell, rendered, success, cancel) => this.editor(cell, rendered, success, cancel),
      editable: cell => !cell.getData().isClosed && cell.getData().state !== "left out",
      headerSortTristate: true,
      minWidth: 110,
      maxInitialWidth: 320,
    }));
    this.formats = new Map(shown.map(({ field, formatter }) => [field, formatter]));
    this.formats.set("row", cell => this.standing(cell));
    for (const field of ["message", "raw"]) this.formats.set(field, cell => this.told(cell));
    const told = { headerSort: false, minWidth: 160, maxInitialWidth: 320 };
    this.table.setColumns([
      {
        field: "row", title: "Row", frozen: window.innerWidth > 640, width: 118, formatter: this.formats.get("row"),
        titleFormatter: () => document.createTextNode("Row"), headerSortTristate: true,
      },
      ...(has.message ? [{ ...told, maxInitialWidth: 200, field: "message", title: "Marketo said", formatter: this.formats.get("message") }] : []),
      ...shown,
      ...(has.raw ? [{ ...told, field: "raw", title: "Text of the record", formatter: this.formats.get("raw") }] : []),
    ]);
  }

  // The table throws an answer away that comes while it asks for another, so one waits for the other.
  refresh(page) {
    const turn = this.turn.then(() => this.loading).then(() => this.table.setPage(page ?? (this.table.getPage() || 1)));
    this.turn = this.busy(turn.catch(() => {}));
    return turn;
  }

  // Notes when an answer has come and the table has taken it in.
  track(loaded) {
    this.loading = this.busy(loaded.catch(() => {}).then(() => new Promise(resolve => setTimeout(resolve))));
    return loaded;
  }

  // Says of the table that its rows are about to change.
  busy(work) {
    const tell = step => this.element.setAttribute("aria-busy", String((this.pending += step) > 0));
    tell(1);
    return work.finally(() => tell(-1));
  }

  // Shows rows anew, cell by cell: the one that is being edited stays as it is, and the focus where it is.
  async update(rows) {
    for (const data of rows) {
      const row = this.table.getRow(data.id);
      if (!row) continue;
      await row.update(data);
      for (const cell of row.getCells()) {
        const element = cell.getElement();
        if (!element.classList.contains("tabulator-editing")) element.replaceChildren(this.formats.get(cell.getField())(cell));
      }
      row.getElement().classList.toggle("row-out", data.state === "left out");
      row.normalizeHeight();
    }
  }

  title(column) {
    const made = node("span");
    made.append(node("bdi", "", column.title || "(no name)"));
    if (column.field && column.field !== column.title) made.append(node("small", "", column.field));
    return made;
  }

  cell(cell, place) {
    const data = cell.getData();
    const element = cell.getElement();
    const problems = data.problems.filter(problem => problem.place === place);
    element.tabIndex = -1;
    element.classList.toggle("wrong", problems.some(problem => problem.key) && data.state !== "left out");
    element.classList.toggle("hint", problems.some(problem => !problem.key));
    element.classList.toggle("changed", data.changed.includes(place));
    const made = node("div");
    const value = cell.getValue();
    made.append(value === null || value === "" ? node("span", "value blank", "–") : node("span", "value", value));
    if (data.state === "left out") return made;
    for (const problem of problems) {
      made.append(node("span", "why", problem.text));
      if (!data.isClosed) for (const meant of problem.suggestions) made.append(this.suggestion(cell, place, meant));
    }
    return made;
  }

  suggestion(cell, place, meant) {
    const button = node("button", "suggestion", `→ ${meant}`);
    button.type = "button";
    button.tabIndex = -1;
    button.addEventListener("click", event => {
      event.stopPropagation();
      cell.getElement().focus();
      this.actions.edit(cell.getData().id, place, meant);
    });
    return button;
  }

  standing(cell) {
    const data = cell.getData();
    cell.getElement().tabIndex = -1;
    const made = node("div");
    const [words, tone] = MARKS[data.state];
    const line = node("span", `standing ${tone}`);
    const [called, number] = data.called;
    line.append(node("span", "dot"), ...(called === "row" ? [] : [node("small", "", called)]));
    line.append(node("b", "", number.toLocaleString("en")), node("span", "unseen", words));
    made.append(line);
    for (const problem of data.problems) {
      if (problem.place === null && data.state !== "left out") {
        made.append(node("span", "why", problem.field ? `${problem.field}: ${problem.text}` : problem.text));
      }
    }
    if (!data.isClosed) {
      const button = node("button", "leave", data.state === "left out" ? "take in" : "leave out");
      button.type = "button";
      button.tabIndex = -1;
      button.addEventListener("click", event => {
        event.stopPropagation();
        cell.getElement().focus();
        this.actions.leave(data.id, data.state !== "left out");
      });
      made.append(button);
    }
    return made;
  }

  told(cell) {
    cell.getElement().tabIndex = -1;
    return node("span", "value soft", cell.getValue());
  }

  editor(cell, rendered, success, cancel) {
    const area = node("textarea");
    const before = cell.getValue() ?? "";
    area.value = before;
    area.rows = 1;
    area.spellcheck = false;
    area.setAttribute("aria-label", "New value of the cell");
    const element = cell.getElement();
    let isOver = false;
    const end = (isTaken, moves) => {
      if (isOver) return;
      isOver = true;
      const plain = area.value;
      if (isTaken && plain !== before.replace(/\r\n?/g, "\n")) success(plain === "" ? null : plain);
      else cancel();
      if (moves) setTimeout(() => this.go(element, ...moves));
    };
    rendered(() => {
      area.style.height = `${Math.max(area.scrollHeight, element.clientHeight - 8)}px`;
      area.focus({ preventScroll: true });
      area.select();
    });
    area.addEventListener("keydown", event => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === "Escape") end(false, [0, 0]);
      else if (event.key === "Enter" && !event.shiftKey) end(true, [0, 0]);
      else if (event.key === "Tab") end(true, [0, event.shiftKey ? -1 : 1]);
      else return;
      event.preventDefault();
    });
    area.addEventListener("blur", () => end(true));
    return area;
  }

  async edited(cell) {
    const isKept = await this.actions.edit(cell.getData().id, Number(cell.getField().slice(1)), cell.getValue());
    if (!isKept) cell.restoreOldValue();
  }

  // One cell is in the order of Tab; the arrow keys move which.
  rove(cell) {
    const now = cell ?? this.element.querySelector(".tabulator-tableholder .tabulator-cell[tabindex='0']")
      ?? this.element.querySelector(".tabulator-tableholder .tabulator-cell");
    if (!now) return;
    for (const other of this.element.querySelectorAll(".tabulator-cell[tabindex='0']")) other.tabIndex = -1;
    now.tabIndex = 0;
  }

  go(element, down, right) {
    const cells = row => [...row.querySelectorAll(":scope > .tabulator-cell")];
    const row = element.closest(".tabulator-row");
    if (!row) return;
    const rows = [...this.element.querySelectorAll(".tabulator-table > .tabulator-row")];
    const target = cells(rows[rows.indexOf(row) + down] ?? row)[cells(row).indexOf(element) + right];
    (target ?? element).focus();
    (target ?? element).scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  pressed(event) {
    const element = event.target.closest(".tabulator-cell");
    if (!element || event.target.tagName === "TEXTAREA" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) this.go(element, ...STEPS[event.key]);
    else if (event.key === "Enter" || event.key === "F2") {
      if (event.target !== element) return;
      const row = this.table.getRows().find(one => one.getElement() === element.closest(".tabulator-row"));
      const cell = row?.getCell(element.getAttribute("tabulator-field"));
      if (cell?.getField().startsWith("c")) cell.edit();
      else element.querySelector("button")?.click();
    } else if (event.key === "PageDown") this.table.nextPage();
    else if (event.key === "PageUp") this.table.previousPage();
    else if (event.key === " ") element.querySelector("button")?.click();
    else return;
    event.preventDefault();
  }
}
