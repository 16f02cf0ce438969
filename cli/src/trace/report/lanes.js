// Where everything stands: each device has a lane, with a row of accesses, one of each text, one of each line.

const ROW = { access: 42, text: 20, line: 20 };

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// The lanes of the devices that a search left, from the top on: text is what people look for first,
// then where most happens.
function laidOut(sorted) {
  const lanes = [];
  let top = 0;
  const textFirst = (a, b) => (b.texts.length > 0) - (a.texts.length > 0) || b.all.length - a.all.length;
  for (const device of sorted.devices.filter((device) => device.all.length).sort(textFirst)) {
    const lane = { device, top, rows: [] };
    const add = (kind, height, more) => {
      lane.rows.push({ kind, top, height, ...more });
      top += height;
    };
    add("access", ROW.access);
    for (const text of device.texts) add("text", ROW.text, { text });
    for (const port of device.ports) if (!port.facts.text) add("frames", ROW.text, { port });
    for (const line of device.lines) add("line", ROW.line, { line });
    lane.height = top - lane.top + 1;
    top += 1;
    lanes.push(lane);
  }
  return { lanes, height: top };
}

// The names beside the lanes.
function showNames(place, layout) {
  place.replaceChildren(...layout.lanes.map(({ device, height, rows }) => {
    const { facts } = device;
    const what = facts.compatible.replace(/^arm,/, "") || "not of this board";
    const own = element("div", { className: "own", title: facts.name + "\n" + facts.compatible + "\n" + facts.summary },
      element("b", { textContent: facts.name }), element("small", { textContent: what }));
    const lane = element("div", { className: "lane" }, own);
    lane.setAttribute("role", "listitem");
    lane.dataset.device = facts.name;
    lane.style.height = height + "px";
    for (const row of rows) {
      if (row.kind === "access") continue;
      const name = row.text ? row.text.name : row.port ? row.port.facts.name : row.line.facts.name;
      lane.append(element("div", { className: "row", textContent: name, title: facts.name + ": " + name }));
    }
    return lane;
  }));
}

// Small pictures of the marks, for words beside them.
function glyph(kind) {
  const shapes = {
    read: '<circle cx="6" cy="6" r="4" fill="var(--read)"/>',
    write: '<rect x="2.4" y="2.4" width="7.2" height="7.2" transform="rotate(45 6 6)" fill="var(--write)"/>',
    line: '<path d="M0 10H3V2H9V10H12" fill="none" stroke="var(--line)" stroke-width="1.6"/>',
    port: '<path d="M2 2.5H10M6 2.5V10.5" fill="none" stroke="var(--port)" stroke-width="2"/>',
    memory: '<path d="M6 2L10.5 10H1.5Z" fill="var(--port)"/>',
    due: '<path d="M6 1V11" stroke="var(--faint)" stroke-width="2"/>',
    reset: '<path d="M2 2L10 10M10 2L2 10" stroke="var(--bad)" stroke-width="2"/>',
  };
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", "0 0 12 12");
  picture.setAttribute("class", "glyph");
  picture.setAttribute("aria-hidden", "true");
  picture.innerHTML = shapes[kind];
  return picture;
}

function glyphOf(model, i) {
  const kind = model.kind[i];
  if (kind === Kind.READ) return "read";
  if (kind === Kind.WRITE) return "write";
  if (isLine(model, i)) return "line";
  if (kind <= Kind.PORT_OUT) return "port";
  if (kind === Kind.DUE) return "due";
  return kind === Kind.RESET ? "reset" : "memory";
}
