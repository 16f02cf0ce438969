// The page: what is shown of the trace, and what its reader does to that.

// What went wrong stands in the document, where a test finds it and a reader can be told.
function broke(what) {
  const root = document.documentElement;
  root.dataset.error = (root.dataset.error || "") + String(what) + "\n";
  document.getElementById("broke").hidden = false;
  document.getElementById("broke").textContent = "This page's script failed: " + what;
}
window.addEventListener("error", (event) => broke(event.message));
window.addEventListener("unhandledrejection", (event) => broke(event.reason));

// The shortest time that is shown, in nanoseconds.
const SHORTEST = 20;

class Page {
  constructor(model) {
    this.model = model;
    this.parts = Object.fromEntries([...document.querySelectorAll("[id]")].map((part) => [part.id, part]));
    this.chosen = -1;
    this.hovered = -1;
    const length = Math.max(model.last - model.first, 1000);
    const least = Math.floor(model.first - length * 0.015);
    const most = Math.ceil(model.last + length * 0.015);
    this.view = {
      least, most, from: least, to: most, width: 100,
      x(time) { return (time - this.from) / (this.to - this.from) * this.width; },
      time(x) { return this.from + x / this.width * (this.to - this.from); },
    };
    this.find("");
    showFacts(this);
    showTableHead(this.parts["table-head"]);
    showKeys(this.parts.keys);
    showChosen(this);
  }

  // Shows what a search leaves.
  find(query) {
    this.query = query;
    this.sorted = sorted(this.model, query);
    this.layout = laidOut(this.sorted);
    showNames(this.parts.names, this.layout);
    this.parts.nothing.hidden = this.layout.lanes.length > 0;
    this.markLane();
    this.changed();
  }

  // Something is to be drawn anew, with the next frame.
  changed() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const { parts, view } = this;
    const scroll = parts.scroll;
    view.width = Math.max(60, parts.stage.clientWidth);
    this.paint = this.paint || colours();
    const height = Math.max(20, scroll.clientHeight);
    // The axis ends where the lanes do, beside the scroll bar.
    const axis = drawAxis(parts.axis, view, this.paint);
    parts.base.textContent = axis.base ? moment(axis.base) : "";
    drawOverview(parts.overview, Math.round(view.width), this.model, this.sorted, view, this.paint);
    const { model, layout, chosen, hovered, paint } = this;
    drawLanes(parts.lanes, height, { model, sorted: this.sorted, view, layout, chosen, hovered, paint, axis, offset: scroll.scrollTop });
    if (parts["sums-panel"].hidden) showRecords(this);
    else showSums(this);
    document.documentElement.dataset.ready = "yes";
  }

  // Shows the time from `from` to `to`, as far as there is any.
  show(from, to) {
    const { view } = this;
    const whole = view.most - view.least;
    const length = Math.min(Math.max(to - from, SHORTEST), whole);
    const middle = (from + to) / 2;
    from = length === whole ? view.least : Math.min(Math.max(middle - length / 2, view.least), view.most - length);
    view.from = from;
    view.to = length === whole ? view.most : from + length;
    this.parts["records-panel"].scrollTop = 0;
    this.remember();
    this.changed();
  }

  // Zooms so that the time at `x` stays where it is.
  zoom(factor, x = this.view.width / 2) {
    const { view } = this;
    const at = view.time(x);
    const length = Math.min(Math.max((view.to - view.from) * factor, SHORTEST), view.most - view.least);
    const from = at - x / view.width * length;
    this.show(from, from + length);
  }

  move(part) {
    const by = (this.view.to - this.view.from) * part;
    this.show(this.view.from + by, this.view.to + by);
  }

  // Selects a record, and brings it into view.
  choose(i) {
    this.chosen = i === undefined ? -1 : i;
    showChosen(this);
    this.markLane();
    if (this.chosen >= 0) {
      const { view, model } = this;
      const x = view.x(model.at[i]);
      if (x < 0 || x > view.width) {
        const half = (view.to - view.from) / 2;
        this.show(model.at[i] - half, model.at[i] + half);
      }
      const lane = this.layout.lanes.find((lane) => lane.device.number === model.device[i]);
      const { scroll } = this.parts;
      if (lane && (lane.top < scroll.scrollTop || lane.top + ROW.access > scroll.scrollTop + scroll.clientHeight)) scroll.scrollTop = Math.max(0, lane.top - 20);
    }
    this.remember();
    this.changed();
  }

  markLane() {
    const device = this.chosen >= 0 ? this.model.facts.devices[this.model.device[this.chosen]] : null;
    for (const lane of this.parts.names.children) lane.classList.toggle("chosen", device?.name === lane.dataset.device);
  }

  step(by) {
    const { all } = this.sorted;
    const { model, view } = this;
    const at = this.chosen >= 0 ? all.indexOf(this.chosen) : before(model, all, view.from) - (by > 0 ? 1 : 0);
    const to = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (to !== undefined) this.choose(to);
  }

  zoomToChosen() {
    if (this.chosen < 0) return;
    const at = this.model.at[this.chosen];
    const length = Math.min((this.view.to - this.view.from) / 20, 20000);
    this.show(at - length / 2, at + length / 2);
  }

  // What stands at a place of the lanes: a record, or how many there are in that column.
  at(x, y) {
    const { model, view } = this;
    y += this.parts.scroll.scrollTop;
    const lane = this.layout.lanes.find((lane) => y >= lane.top && y < lane.top + lane.height);
    const row = lane?.rows.find((row) => y >= row.top && y < row.top + row.height);
    if (!row) return null;
    const up = y < row.top + row.height / 2;
    const lists = row.kind === "access" ? (up ? [lane.device.reads, lane.device.writes] : [lane.device.writes, lane.device.reads]).concat([lane.device.memory, lane.device.due])
      : row.kind === "line" ? [row.line.records] : row.port ? [row.port.records] : [row.text.lines.flatMap((line) => line.records)];
    for (const list of lists) {
      const from = before(model, list, view.time(x - 7));
      const to = before(model, list, view.time(x + 7));
      let best = -1;
      for (let n = from; n < to; n++) if (best < 0 || Math.abs(view.x(model.at[list[n]]) - x) < Math.abs(view.x(model.at[best]) - x)) best = list[n];
      if (best >= 0) return { i: best, many: to - from, lane, row };
    }
    return { i: -1, many: 0, lane, row };
  }

  // The view stands in the address, so that it can be given to others.
  remember() {
    const { view } = this;
    const words = new URLSearchParams();
    if (view.from > view.least || view.to < view.most) {
      words.set("from", Math.floor(view.from));
      words.set("to", Math.ceil(view.to));
    }
    if (this.query) words.set("find", this.query);
    if (this.chosen >= 0) words.set("record", this.chosen);
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => history.replaceState(null, "", "#" + words), 250);
  }

  recall() {
    const words = new URLSearchParams(location.hash.slice(1));
    const query = words.get("find") || "";
    this.parts.search.value = query;
    if (query) this.find(query);
    if (words.has("theme")) setTheme(this, words.get("theme"));
    if (words.get("tab") === "devices") setTab(this, "sums");
    if (words.has("from") && words.has("to")) this.show(Number(words.get("from")), Number(words.get("to")));
    // For who measures how long a frame takes: so many, each nearer.
    for (let n = 0; n < Number(words.get("frames")); n++) {
      this.zoom(n % 50 ? 0.8 : 1e9);
      this.draw();
    }
    const record = Number(words.get("record") ?? -1);
    if (record >= 0 && record < this.model.count) this.choose(record);
  }
}

function setTheme(page, theme) {
  document.documentElement.dataset.theme = theme;
  page.paint = null;
  page.changed();
}

function setTab(page, name) {
  for (const one of ["records", "sums"]) {
    page.parts[one + "-panel"].hidden = one !== name;
    page.parts["tab-" + one].setAttribute("aria-selected", String(one === name));
  }
  page.changed();
}

function showTip(page, event, found) {
  const { tip } = page.parts;
  const { model } = page;
  tip.hidden = !found || found.i < 0;
  if (tip.hidden) return;
  const { i } = found;
  const times = model.times[i] > 1 ? " ×" + model.times[i] : "";
  const lines = [element("b", {}, glyph(glyphOf(model, i)), subjectOf(model, i) + "  " + valueText(model, i) + times)];
  const fields = fieldsText(model, i);
  if (fields) lines.push(element("div", { textContent: fields }));
  const cpu = model.cpu[i] === NO_CPU ? "" : ", CPU " + model.cpu[i];
  lines.push(element("div", { textContent: moment(model.at[i]) + cpu }));
  if (found.many > 1) lines.push(element("div", { textContent: number(found.many) + " records stand here; zoom in to part them" }));
  tip.replaceChildren(...lines);
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(6, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + "px";
}

// Pointer and wheel over the lanes.
function listenToLanes(page) {
  const { lanes, scroll, stage, tip } = page.parts;
  const { view } = page;
  let drag = null;
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) page.move((event.deltaX || event.deltaY) * unit / view.width);
    else page.zoom(Math.exp(event.deltaY * unit * 0.0022), event.offsetX);
  }, { passive: false });
  lanes.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, top: scroll.scrollTop, moved: false };
    lanes.setPointerCapture(event.pointerId);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (!drag) {
      const found = page.at(event.offsetX, event.offsetY);
      const hovered = found ? found.i : -1;
      if (hovered !== page.hovered) page.changed();
      page.hovered = hovered;
      showTip(page, event, found);
      return;
    }
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(x, y) < 4) return;
    drag.moved = true;
    tip.hidden = true;
    lanes.classList.add("moving");
    const by = x / view.width * (drag.to - drag.from);
    scroll.scrollTop = drag.top - y;
    page.show(drag.from - by, drag.to - by);
  });
  const done = (event) => {
    lanes.classList.remove("moving");
    if (drag && !drag.moved && event.type === "pointerup") {
      const found = page.at(event.offsetX, event.offsetY);
      page.choose(found && found.i >= 0 ? found.i : undefined);
    }
    drag = null;
  };
  lanes.addEventListener("pointerup", done);
  lanes.addEventListener("pointercancel", done);
  lanes.addEventListener("pointerleave", () => {
    tip.hidden = true;
    if (page.hovered >= 0) page.changed();
    page.hovered = -1;
  });
  lanes.addEventListener("dblclick", (event) => page.zoom(1 / 6, event.offsetX));
  scroll.addEventListener("scroll", () => page.changed());
}

// The strip with the whole trace: a press brings the view there, and dragging takes it along.
function listenToOverview(page) {
  const { overview } = page.parts;
  const { view } = page;
  let held = null;
  const time = (event) => view.least + event.offsetX / view.width * (view.most - view.least);
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    const at = time(event);
    if (at < view.from || at > view.to) {
      const half = (view.to - view.from) / 2;
      page.show(at - half, at + half);
    }
    held = at - view.from;
  });
  overview.addEventListener("pointermove", (event) => {
    if (held === null) return;
    const from = time(event) - held;
    page.show(from, from + view.to - view.from);
  });
  for (const end of ["pointerup", "pointercancel"]) overview.addEventListener(end, () => { held = null; });
  overview.addEventListener("wheel", (event) => {
    event.preventDefault();
    page.zoom(Math.exp(event.deltaY * 0.0022), Math.min(Math.max(view.x(time(event)), 0), view.width));
  }, { passive: false });
}

function listenToKeys(page) {
  const { parts } = page;
  const keys = {
    "+": () => page.zoom(1 / 1.6), "=": () => page.zoom(1 / 1.6), "-": () => page.zoom(1.6), "_": () => page.zoom(1.6),
    "0": () => page.show(page.view.least, page.view.most), "n": () => page.step(1), "p": () => page.step(-1),
    "Enter": () => page.zoomToChosen(), "/": () => parts.search.focus(), "?": () => parts.keys.showModal(), "t": () => parts.theme.click(),
    "Escape": () => { if (page.chosen >= 0) page.choose(undefined); else parts.clear.click(); },
    "ArrowLeft": (event) => page.move(event.shiftKey ? -1 : -0.15), "ArrowRight": (event) => page.move(event.shiftKey ? 1 : 0.15),
    "ArrowUp": () => { parts.scroll.scrollTop -= 60; }, "ArrowDown": () => { parts.scroll.scrollTop += 60; },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || parts.keys.open) return;
    const { target } = event;
    if (target === parts.search || target === parts.divider) return;
    if (event.key === "Enter" && target.closest("button, summary")) return;
    if (target === parts["records-panel"] && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      page.step(event.key === "ArrowDown" ? 1 : -1);
      return;
    }
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key](event);
  });
  parts.search.addEventListener("input", () => {
    clearTimeout(page.finding);
    page.finding = setTimeout(() => { page.find(parts.search.value); page.remember(); }, 120);
  });
  parts.search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "Enter") return;
    if (event.key === "Escape") { parts.search.value = ""; page.find(""); page.remember(); }
    parts.lanes.focus();
    event.stopPropagation();
  });
}

function listenToButtons(page) {
  const { parts } = page;
  const { view } = page;
  parts.in.addEventListener("click", () => page.zoom(1 / 1.6));
  parts.out.addEventListener("click", () => page.zoom(1.6));
  parts.all.addEventListener("click", () => page.show(view.least, view.most));
  parts.help.addEventListener("click", () => parts.keys.showModal());
  parts.theme.addEventListener("click", () => setTheme(page, document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  parts.clear.addEventListener("click", () => { parts.search.value = ""; page.find(""); page.remember(); });
  for (const one of ["records", "sums"]) parts["tab-" + one].addEventListener("click", () => setTab(page, one));
  parts["records-panel"].addEventListener("scroll", () => page.changed());
  parts["table-body"].addEventListener("click", (event) => {
    const row = event.target.closest("[data-record]");
    if (row) page.choose(Number(row.dataset.record));
  });
  const find = (name) => { parts.search.value = name; page.find(name); page.remember(); };
  parts["sums-panel"].addEventListener("click", (event) => {
    const row = event.target.closest("[data-search]");
    if (row) find(row.dataset.search);
  });
  const set = (height) => {
    document.documentElement.style.setProperty("--below", Math.min(Math.max(height, 60), innerHeight - 260) + "px");
    page.changed();
  };
  const below = () => innerHeight - parts.divider.getBoundingClientRect().bottom;
  parts.divider.addEventListener("pointerdown", (event) => parts.divider.setPointerCapture(event.pointerId));
  parts.divider.addEventListener("pointermove", (event) => { if (event.buttons) set(innerHeight - event.clientY - 4); });
  parts.divider.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 30, ArrowDown: -30 }[event.key];
    if (by) { event.preventDefault(); set(below() + by); }
  });
}

async function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const model = await unpacked(facts, document.getElementById("records").textContent.trim());
  const page = new Page(model);
  dark.addEventListener("change", () => setTheme(page, dark.matches ? "dark" : "light"));
  listenToLanes(page);
  listenToOverview(page);
  listenToKeys(page);
  listenToButtons(page);
  const resized = new ResizeObserver(() => page.changed());
  for (const part of [page.parts.scroll, page.parts.stage]) resized.observe(part);
  page.recall();
  window.addEventListener("hashchange", () => page.recall());
}

begin().catch((error) => broke(error.stack || error));
