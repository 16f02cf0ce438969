// The tables below the timeline.

const RECORD_HEIGHT = 23;
// No browser scrolls more than some millions of pixels.
const RECORDS_MOST = 400000;

const number = (n) => n.toLocaleString("en").replace(/,/g, "\u202f");

// The records in view, of which only those that are seen are in the document.
function showRecords(page) {
  const { model, sorted, view } = page;
  const from = before(model, sorted.all, view.from);
  const to = before(model, sorted.all, view.to + 0.5);
  const count = Math.min(to - from, RECORDS_MOST);
  const panel = page.parts["records-panel"];
  const body = page.parts["table-body"];
  body.style.height = count * RECORD_HEIGHT + 4 + "px";
  const first = Math.max(0, Math.floor(panel.scrollTop / RECORD_HEIGHT) - 2);
  const behind = Math.min(count, first + Math.ceil(panel.clientHeight / RECORD_HEIGHT) + 4);
  const rows = [];
  for (let n = first; n < behind; n++) rows.push(recordRow(page, sorted.all[from + n], n));
  body.replaceChildren(...rows);
  page.parts.count.textContent = number(to - from) + (to - from === 1 ? " record, " : " records, ") + lengthOfTime(view.to - view.from);
}

function recordRow(page, i, place) {
  const { model } = page;
  const device = model.device[i] === NO_DEVICE ? "board" : model.facts.devices[model.device[i]].name;
  const times = model.times[i] > 1 ? " ×" + model.times[i] : "";
  const subject = element("span", { title: subjectOf(model, i) }, glyph(glyphOf(model, i)), subjectOf(model, i) + times);
  const row = element("div", { className: i === page.chosen ? "record chosen" : "record" },
    element("span", { textContent: moment(model.at[i]) }),
    element("span", { textContent: model.cpu[i] === NO_CPU ? "" : model.cpu[i] }),
    element("span", { textContent: device, title: device }),
    subject,
    element("span", { textContent: valueText(model, i) }),
    element("span", { className: "fields", textContent: fieldsText(model, i), title: fieldsText(model, i) }));
  row.style.top = place * RECORD_HEIGHT + "px";
  row.dataset.record = i;
  return row;
}

function showTableHead(place) {
  const words = ["time", "CPU", "device", "what", "value", "fields that are set"];
  place.replaceChildren(...words.map((word) => element("span", { textContent: word })));
}

// Each device's sums in view, and those that nothing touched.
function showSums(page) {
  const { model, sorted, view } = page;
  const head = ["device", "reads", "writes", "line changes", "bytes", "registers", "in the whole trace"];
  const rows = sorted.devices.filter((device) => device.all.length || !device.facts.touched).map((device) => {
    const { facts } = device;
    const accesses = (way) => device[way + "Sum"][before(model, device[way], view.to)] - device[way + "Sum"][before(model, device[way], view.from)];
    const seen = (list) => list.slice(before(model, list, view.from), before(model, list, view.to));
    const changes = device.lines.reduce((sum, line) => sum + seen(line.records).length, 0);
    const bytes = device.ports.reduce((sum, port) => sum + seen(port.records).reduce((n, i) => n + model.high[i], 0), 0);
    const used = new Set(facts.registers.map((register) => register.region + ":" + register.offset)).size;
    const whole = device.readsSum.at(-1) + device.writesSum.at(-1);
    const words = facts.touched
      ? [accesses("reads"), accesses("writes"), changes, bytes].map((n) => (n ? number(n) : "–"))
      : ["–", "–", "–", "–"];
    words.push(facts.named ? used + " of " + facts.named : String(used || "–"));
    words.push(facts.touched ? number(whole) + " accesses" : facts.observed ? "never touched" : "not observed");
    const cells = words.map((word, n) => element("td", { textContent: word, className: n === 4 || n === 2 || n === 3 ? "extra" : "" }));
    const name = element("td", {}, facts.name + " ", element("small", { textContent: facts.compatible.replace(/^arm,/, "") }));
    const row = element("tr", { className: facts.touched ? "" : "never", title: facts.summary }, name, ...cells);
    if (facts.touched) row.dataset.search = facts.name;
    return row;
  });
  const heads = head.map((word, n) => element("th", { textContent: word, className: n >= 3 && n <= 5 ? "extra" : "" }));
  page.parts["sums-panel"].replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
  page.parts.count.textContent = lengthOfTime(view.to - view.from) + " in view";
}

function listOf(pairs) {
  const list = element("dl", {});
  for (const [name, said] of pairs) if (said || said === 0) list.append(element("dt", { textContent: name }), element("dd", {}, said));
  return list;
}

// All that is known of the record that is chosen.
function showChosen(page) {
  const { model, sorted, chosen } = page;
  const place = page.parts.selected;
  if (chosen < 0) {
    place.replaceChildren(element("h2", { textContent: "Nothing selected" }),
      element("p", { className: "hint", textContent: "Click a mark or a row to see the register, its fields, and what changed since the access before. The wheel zooms, dragging moves." }));
    return;
  }
  const i = chosen;
  const facts = model.device[i] === NO_DEVICE ? null : model.facts.devices[model.device[i]];
  const title = element("h2", {}, glyph(glyphOf(model, i)), subjectOf(model, i));
  const parts = [title];
  const own = facts ? sorted.devices[model.device[i]].all : sorted.all;
  const at = own.indexOf(i);
  const since = at > 0 ? lengthOfTime(model.at[i] - model.at[own[at - 1]]) + " after the one before" : "";
  const pairs = [["time", moment(model.at[i])], ["", since ? since : ""]];
  if (model.cpu[i] !== NO_CPU) pairs.push(["CPU", String(model.cpu[i])]);
  if (facts) pairs.push(["device", facts.name], ["", facts.compatible], ["", facts.summary], ["manual", facts.manual]);
  if (isAccess(model, i)) parts.push(...accessParts(page, i, facts, pairs));
  else if (hasBytes(model, i)) {
    const bytes = bytesOf(model, i);
    pairs.push(["bytes", String(bytes.length)]);
    const codes = Array.from(bytes.subarray(0, 512), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    parts.push(listOf(pairs), element("pre", { textContent: shownBytes(bytes, 512) }), element("pre", { textContent: codes }));
  } else {
    parts.push(element("p", { className: "value", textContent: valueText(model, i) }), listOf(pairs));
  }
  const steps = element("div", { className: "go" });
  for (const [label, step, title] of [["← before", -1, "The device's record before (p)"], ["next →", 1, "The device's next record (n)"]]) {
    const to = own[at + step];
    const button = element("button", { textContent: label, title, disabled: to === undefined });
    button.addEventListener("click", () => page.choose(to));
    steps.append(button);
  }
  const near = element("button", { textContent: "Zoom to it", title: "Enter" });
  near.addEventListener("click", () => page.zoomToChosen());
  steps.append(near);
  place.replaceChildren(...parts, steps);
}

function accessParts(page, i, facts, pairs) {
  const { model } = page;
  const register = facts.registers[model.what[i]];
  const write = model.kind[i] === Kind.WRITE;
  const block = register.region ? " of block " + register.region : "";
  pairs.push(["access", (write ? "write" : "read") + " of " + register.width + (register.width === 1 ? " byte" : " bytes") + " at " + hexadecimal(register.offset) + block]);
  const state = model.flags[i] & Flag.SECURE ? "Secure" : model.flags[i] & Flag.NONSECURE ? "Non-secure" : model.facts.security;
  pairs.push(["state", state + (model.flags[i] & Flag.USER ? ", unprivileged" : "")]);
  if (model.times[i] > 1) pairs.push(["times", number(model.times[i]) + ", the last " + lengthOfTime(model.end[i] - model.at[i]) + " later"]);
  const shown = element("p", { className: "value", textContent: valueText(model, i) + " " });
  if (model.flags[i] & Flag.ABORT) return [shown, listOf(pairs)];
  const value = valueOf(model, i);
  shown.append(element("small", { textContent: number(value) }));
  const same = page.sorted.devices[model.device[i]].all;
  let last = -1;
  for (let n = same.indexOf(i) - 1; n >= 0; n--) {
    const other = same[n];
    if (isAccess(model, other) && facts.registers[model.what[other]].offset === register.offset && facts.registers[model.what[other]].region === register.region) { last = other; break; }
  }
  const was = last >= 0 && !(model.flags[last] & Flag.ABORT) ? valueOf(model, last) : null;
  if (was !== null && was !== value) pairs.push(["before", hexadecimal(was)]);
  const rows = register.fields.map((field) => {
    const [name, low, bits] = field;
    const now = fieldOf(value, field);
    const place = bits === 1 ? "[" + low + "]" : "[" + (low + bits - 1) + ":" + low + "]";
    const changed = was !== null && fieldOf(was, field) !== now;
    const said = bits === 1 ? String(now) : hexadecimal(now);
    const cell = element("td", { textContent: said, title: changed ? "was " + hexadecimal(fieldOf(was, field)) : "" });
    return element("tr", { className: (now ? "" : "zero") + (changed ? " changed" : "") }, element("td", { textContent: name }), element("td", { textContent: place }), cell);
  });
  const fields = rows.length ? [element("table", {}, element("tbody", {}, ...rows))] : [];
  return [shown, ...fields, listOf(pairs)];
}

// The header's facts.
function showFacts(page) {
  const { model, parts } = page;
  const { facts } = model;
  parts.board.textContent = facts.board;
  const touched = facts.devices.filter((device) => device.touched).length;
  const short = [facts.image, "recorded by " + facts.source, number(model.count) + " records", touched + " devices", lengthOfTime(model.last - model.first)];
  parts.summary.textContent = short.filter(Boolean).join("  ·  ");
  const never = facts.devices.filter((device) => !device.touched && device.observed).map((device) => device.name);
  const unseen = facts.devices.filter((device) => !device.observed).map((device) => device.name);
  const list = listOf([
    ["file", facts.file], ["board", facts.board + (facts.model ? ", " + facts.model : "")], ["image", facts.image], ["source", facts.source],
    ["from, to", moment(model.first) + " to " + moment(model.last)], ["state", facts.security], ["CPUs", facts.cpus],
    ["observed", ["register accesses", ...facts.observed].join(", ")], ["never touched", never.join(", ")], ["not observed", unseen.join(", ")],
    ["lost", facts.lost ? number(facts.lost) + " records" : ""], ...facts.notes.map((note) => ["note", note]),
  ]);
  parts["facts-list"].replaceChildren(...list.childNodes);
  const marks = [["read", "read"], ["write", "write"], ["line", "line"], ["port", "bytes"]];
  parts.legend.replaceChildren(...marks.map(([kind, word], n) => element("span", { className: n > 1 ? "extra" : "" }, glyph(kind), word)));
}

function showKeys(dialog) {
  const keys = [
    ["wheel, + −", "zoom"], ["drag, ← →", "move (with Shift: a whole view)"], ["↑ ↓", "scroll the devices"], ["double click", "zoom in there"],
    ["0", "the whole trace"], ["n p", "the next record, the one before"], ["Enter", "zoom to the selected record"], ["/", "find a device or register"],
    ["Escape", "select nothing; show all"], ["t", "light or dark"], ["?", "these keys"],
  ];
  const list = element("dl", {});
  for (const [key, does] of keys) list.append(element("dt", {}, ...key.split(", ").flatMap((one, n) => [n ? ", " : "", element("kbd", { textContent: one })])), element("dd", { textContent: does }));
  const close = element("button", { textContent: "Close" });
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(element("h2", { textContent: "Keys" }), list, close);
}
