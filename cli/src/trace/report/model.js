// The records: unpacked from the page, and by device. The columns are those of columns.rs.

const Kind = { READ: 0, WRITE: 1, LINE_IN: 2, LINE_OUT: 3, PORT_IN: 4, PORT_OUT: 5, MEMORY_READ: 6, MEMORY_WRITTEN: 7, RESET: 8, DUE: 9 };
const Flag = { ABORT: 1, USER: 2, SECURE: 4, NONSECURE: 8 };
const NO_CPU = 0xff;
const NO_DEVICE = 0xffff;

async function inflated(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

// All records as columns, and what is told beside them.
async function unpacked(facts, base64) {
  const buffer = await inflated(base64);
  const count = new DataView(buffer).getUint32(0, true);
  let place = 4;
  const column = (Type, length) => {
    const made = new Type(buffer, place, length);
    place += length * Type.BYTES_PER_ELEMENT;
    return made;
  };
  const words = Array.from({ length: 8 }, () => column(Uint32Array, count));
  const device = column(Uint16Array, count);
  const [kind, cpu, flags] = Array.from({ length: 3 }, () => column(Uint8Array, count));
  const blob = new Uint8Array(buffer, place);
  const [sinceLow, sinceHigh, what, low, high, times, runLow, runHigh] = words;
  const at = new Float64Array(count);
  const end = new Float64Array(count);
  let now = 0;
  for (let i = 0; i < count; i++) {
    now += sinceLow[i] + sinceHigh[i] * 2 ** 32;
    at[i] = now;
    const access = kind[i] <= Kind.WRITE;
    end[i] = access ? now + runLow[i] + runHigh[i] * 2 ** 32 : now;
  }
  const last = end.reduce((latest, one) => Math.max(latest, one), 0);
  return { facts, count, at, end, device, kind, cpu, flags, what, low, high, times, runHigh, blob, first: count ? at[0] : 0, last };
}

const isAccess = (model, i) => model.kind[i] <= Kind.WRITE;
const isLine = (model, i) => model.kind[i] === Kind.LINE_IN || model.kind[i] === Kind.LINE_OUT;
const hasBytes = (model, i) => model.kind[i] >= Kind.PORT_IN && model.kind[i] <= Kind.MEMORY_WRITTEN;

function bytesOf(model, i) {
  return model.blob.subarray(model.low[i], model.low[i] + model.high[i]);
}

// A value of up to 64 bits; 32 are not a BigInt, because nearly all are that short.
function valueOf(model, i) {
  return model.high[i] ? (BigInt(model.high[i]) << 32n) | BigInt(model.low[i]) : model.low[i];
}

function fieldOf(value, [, low, bits]) {
  return Number((BigInt(value) >> BigInt(low)) & ((1n << BigInt(bits)) - 1n));
}

const hexadecimal = (value) => "0x" + value.toString(16);

// What a record is about, in a few words: the register, the line, the port.
function subjectOf(model, i) {
  if (model.device[i] === NO_DEVICE) return "reset of the board";
  const device = model.facts.devices[model.device[i]];
  if (isAccess(model, i)) return device.registers[model.what[i]].name;
  if (isLine(model, i)) return device.lines[model.what[i]].name;
  switch (model.kind[i]) {
    case Kind.PORT_IN:
    case Kind.PORT_OUT: return device.ports[model.what[i]].name;
    case Kind.MEMORY_READ: return "memory " + hexadecimal(model.what[i] + model.runHigh[i] * 2 ** 32) + " read";
    case Kind.MEMORY_WRITTEN: return "memory " + hexadecimal(model.what[i] + model.runHigh[i] * 2 ** 32) + " written";
    case Kind.DUE: return "deadline";
    default: return "reset";
  }
}

function shownBytes(bytes, most) {
  let text = "";
  for (const byte of bytes.subarray(0, most)) text += shownByte(byte);
  return bytes.length > most ? text + "…" : text;
}

function shownByte(byte) {
  if (byte === 10) return "⏎";
  if (byte === 13) return "↵";
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·";
}

function valueText(model, i) {
  if (hasBytes(model, i)) {
    const bytes = bytesOf(model, i);
    const port = model.facts.devices[model.device[i]].ports[model.what[i]];
    const serial = (model.kind[i] === Kind.PORT_IN || model.kind[i] === Kind.PORT_OUT) && port.text;
    return serial ? shownBytes(bytes, 24) : bytes.length + " bytes";
  }
  if (isLine(model, i)) return model.low[i] ? "high" : "low";
  if (model.kind[i] === Kind.DUE) return "met";
  if (model.kind[i] === Kind.RESET) return model.low[i] ? "warm" : "cold";
  return model.flags[i] & Flag.ABORT ? "abort" : hexadecimal(valueOf(model, i));
}

// The fields that are not zero: "TXFE RXFE", "WLEN=3".
function fieldsText(model, i) {
  if (!isAccess(model, i)) return "";
  const { fields } = model.facts.devices[model.device[i]].registers[model.what[i]];
  if (!fields.length || model.flags[i] & Flag.ABORT) return "";
  const value = valueOf(model, i);
  const set = fields.filter((field) => fieldOf(value, field) !== 0);
  return set.map((field) => (field[2] === 1 ? field[0] : field[0] + "=" + hexadecimal(fieldOf(value, field)))).join(" ");
}

// What is found by a search: each word must stand somewhere in the device and its register, line or port.
function finder(model, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (text) => words.every((word) => text.includes(word));
  const tables = model.facts.devices.map((device) => {
    const own = (device.name + " " + device.compatible + " " + device.summary).toLowerCase() + " ";
    const of = (things, name) => things.map((thing) => found(own + name(thing).toLowerCase()));
    return {
      own: found(own),
      registers: of(device.registers, (r) => r.name + " " + hexadecimal(r.offset) + " " + r.fields.map((f) => f[0]).join(" ")),
      lines: of(device.lines, (line) => line.name + " line"),
      ports: of(device.ports, (port) => port.name + " port"),
    };
  });
  return (i) => {
    if (!words.length) return true;
    const table = tables[model.device[i]];
    if (!table) return false;
    if (isAccess(model, i)) return table.registers[model.what[i]];
    if (isLine(model, i)) return table.lines[model.what[i]];
    return model.kind[i] <= Kind.PORT_OUT ? table.ports[model.what[i]] : table.own;
  };
}

// The records that a search leaves, all together and by device.
function sorted(model, query) {
  const matches = finder(model, query);
  const all = [];
  const resets = [];
  const devices = model.facts.devices.map((facts, number) => ({
    facts, number, reads: [], writes: [], memory: [], due: [], all: [],
    lines: facts.lines.map((line) => ({ facts: line, records: [] })),
    ports: facts.ports.map((port) => ({ facts: port, records: [] })),
  }));
  for (let i = 0; i < model.count; i++) {
    if (model.device[i] === NO_DEVICE) { resets.push(i); all.push(i); continue; }
    if (!matches(i)) continue;
    const device = devices[model.device[i]];
    all.push(i);
    device.all.push(i);
    const kind = model.kind[i];
    if (kind === Kind.READ) device.reads.push(i);
    else if (kind === Kind.WRITE) device.writes.push(i);
    else if (isLine(model, i)) device.lines[model.what[i]].records.push(i);
    else if (kind <= Kind.PORT_OUT) device.ports[model.what[i]].records.push(i);
    else if (kind === Kind.DUE) device.due.push(i);
    else device.memory.push(i);
  }
  for (const device of devices) {
    device.all = Int32Array.from(device.all);
    for (const way of ["reads", "writes"]) {
      const list = Int32Array.from(device[way]);
      const sum = new Float64Array(list.length + 1);
      for (let i = 0; i < list.length; i++) sum[i + 1] = sum[i] + model.times[list[i]];
      device[way] = list;
      device[way + "Sum"] = sum;
    }
    device.lines = device.lines.filter((line) => line.records.length);
    device.ports = device.ports.filter((port) => port.records.length);
    device.texts = textsOf(model, device);
  }
  return { all: Int32Array.from(all), resets, devices };
}

// Bytes as text, line by line: of each serial port, and of what was written to a UART whose port was not observed.
function textsOf(model, device) {
  const texts = device.ports.filter((port) => port.facts.text).map((port) => {
    const bytes = port.records.flatMap((i) => Array.from(bytesOf(model, i), (byte) => [i, byte]));
    return { name: port.facts.name + (port.facts.out ? " →" : " ←"), lines: linesOf(model, bytes) };
  });
  if (!texts.some((text) => text.name.startsWith("tx"))) {
    const own = device.facts.registers;
    const bytes = [];
    for (const i of device.writes) if (own[model.what[i]].text) for (let n = 0; n < model.times[i]; n++) bytes.push([i, model.low[i] & 0xff]);
    if (bytes.length) texts.push({ name: "UARTDR → text", lines: linesOf(model, bytes) });
  }
  return texts;
}

function linesOf(model, bytes) {
  const lines = [];
  let line = null;
  for (const [i, byte] of bytes) {
    if (!line) lines.push((line = { from: model.at[i], to: model.at[i], text: "", records: [] }));
    line.to = model.at[i];
    line.text += shownByte(byte);
    line.records.push(i);
    if (byte === 10 || line.text.length >= 400) line = null;
  }
  return lines;
}

// How many of a sorted list of records are before a time.
function before(model, list, time) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (model.at[list[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
