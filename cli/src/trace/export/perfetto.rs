//! A trace as Chrome's trace events in JSON, which Perfetto (ui.perfetto.dev) opens.
//!
//! A device is a process; its accesses are a thread of instants, runs of equal ones are slices as
//! long as they took; each line is a counter of 0 and 1; what went through ports is a thread.
//! Times are microseconds with three digits behind the point: nanoseconds.
use crate::trace::view::{View, access, decoded, end};
use reliquary::trace::record::{Event, Record, Way};
use serde_json::{Value, json};

/// The threads of a device.
const ACCESSES: u32 = 1;
const PORTS: u32 = 2;

/// The whole file.
pub fn perfetto(view: &View) -> String {
    let mut events = Vec::new();
    for (index, device) in view.devices.iter().enumerate().filter(|(_, d)| d.touched) {
        let pid = index + 1;
        let title = format!("{} {}", device.name, device.compatible);
        for (tid, what, key, value) in [
            (0, "process_name", "name", json!(title)),
            (0, "process_sort_index", "sort_index", json!(pid)),
            (ACCESSES, "thread_name", "name", json!("accesses")),
            (PORTS, "thread_name", "name", json!("ports")),
        ] {
            let args = json!({ key: value });
            events.push(json!({"ph": "M", "pid": pid, "tid": tid, "name": what, "args": args}));
        }
    }
    events.extend(view.records.iter().map(|seen| event(view, &seen.record)));
    // One event a line: a text that tools for lines can cope with.
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let header = &view.header;
    let about = json!({
        "board": header.board,
        "source": header.source,
        "image": header.image,
        "notes": header.notes,
        "lost": view.lost,
    });
    format!(
        "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

fn event(view: &View, record: &Record) -> Value {
    let ts = microseconds(record.at.0);
    let index = view.device(record);
    let Some((index, device)) = index.and_then(|i| Some((i, view.devices.get(i)?))) else {
        return json!({"ph": "i", "s": "g", "pid": 0, "tid": 0, "ts": ts, "name": "reset of the board"});
    };
    let pid = index + 1;
    match &record.event {
        Event::Access(one) => {
            let fields = decoded(
                device.fields(one.region, one.offset),
                one.value.unwrap_or(0),
            );
            let args = json!({
                "register": device.register(one.region, one.offset),
                "access": if one.write { "write" } else { "read" },
                "offset": format!("{:#x}", one.offset),
                "width": one.width.bytes(),
                "value": one.value.map_or("abort".to_owned(), |value| format!("{value:#x}")),
                "fields": fields,
                "cpu": record.cpu,
                "times": one.times,
            });
            let name = access(device, one);
            let category = if one.write { "write" } else { "read" };
            let length = end(record) - record.at.0;
            if length > 0 {
                let dur = microseconds(length);
                json!({"ph": "X", "pid": pid, "tid": ACCESSES, "ts": ts, "dur": dur, "cat": category, "name": name, "args": args})
            } else {
                json!({"ph": "i", "s": "t", "pid": pid, "tid": ACCESSES, "ts": ts, "cat": category, "name": name, "args": args})
            }
        }
        Event::Line { way, line, level } => {
            let name = device.line(*way, *line);
            let args = json!({"level": u8::from(*level)});
            json!({"ph": "C", "pid": pid, "tid": 0, "ts": ts, "cat": "line", "name": name, "args": args})
        }
        Event::Port { way, port, bytes } => {
            let name = port.word(*way);
            let args = json!({
                "way": if *way == Way::In { "in" } else { "out" },
                "bytes": bytes.len(),
                "text": String::from_utf8_lossy(bytes),
            });
            json!({"ph": "i", "s": "t", "pid": pid, "tid": PORTS, "ts": ts, "cat": "port", "name": name, "args": args})
        }
        Event::Memory { way, at, bytes } => {
            let verb = if *way == Way::In { "read" } else { "written" };
            let name = format!("memory {:#x} {verb}", at.0);
            let args = json!({"bytes": bytes.len()});
            json!({"ph": "i", "s": "t", "pid": pid, "tid": PORTS, "ts": ts, "cat": "memory", "name": name, "args": args})
        }
        Event::Due => {
            json!({"ph": "i", "s": "t", "pid": pid, "tid": ACCESSES, "ts": ts, "cat": "deadline", "name": "deadline"})
        }
        Event::Reset(_) => {
            json!({"ph": "i", "s": "p", "pid": pid, "tid": ACCESSES, "ts": ts, "cat": "reset", "name": "reset"})
        }
    }
}

#[allow(clippy::cast_precision_loss)] // exact up to 2^53 ns, 104 days
fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::view;

    #[test]
    fn each_record_is_an_event_with_what_perfetto_needs() {
        let view = view();
        let file: Value = serde_json::from_str(&perfetto(&view)).expect("it is JSON");
        let events = file["traceEvents"].as_array().expect("it is a list");
        let own = events.iter().filter(|event| event["ph"] != "M");
        assert_eq!(own.count(), view.records.len());
        for event in events {
            let phase = event["ph"].as_str().expect("each has a phase");
            assert!(["M", "i", "X", "C"].contains(&phase), "{event}");
            assert!(event["pid"].is_u64() && event["tid"].is_u64() && event["name"].is_string());
            assert_eq!(event["ts"].is_f64(), phase != "M", "{event}");
            assert_eq!(event["dur"].is_f64(), phase == "X", "{event}");
        }
    }

    #[test]
    fn a_run_is_as_long_as_it_took_and_a_register_has_its_fields() {
        let file: Value = serde_json::from_str(&perfetto(&view())).expect("it is JSON");
        let events = file["traceEvents"].as_array().expect("it is a list");
        let run = events
            .iter()
            .find(|event| event["ph"] == "X")
            .expect("there is a run");
        assert_eq!(run["ts"], json!(1.0));
        assert_eq!(run["dur"], json!(0.59));
        assert_eq!(run["args"]["register"], "UARTFR");
        assert_eq!(run["args"]["fields"], "TXFE RXFE");
        assert_eq!(run["args"]["times"], 31);
    }
}
