//! How an order is fulfilled: service orders, the services that they make, the network tasks that bring those up.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::render::grid::{Column, Fit, Grid};
use crate::render::styled::{Look, Styled};
use crate::render::text;
use crate::render::words::dim;

/// What waits for a person.
const NEEDS_A_PERSON: &[&str] = &["failed", "stuck"];

/// A node with what stands below it.
struct Node {
    name: Styled,
    state: String,
    detail: Styled,
    /// What went wrong.
    trouble: String,
    below: Vec<Node>,
}

/// The tree as rows: branches and names, states, details.
pub(super) fn rows(service_orders: &[Value]) -> Grid {
    let mut grid = Grid::new(&[Column::new("", Fit::Keep), Column::new("", Fit::Keep), Column::new("", Fit::Drop(1))]);
    for service_order in service_orders {
        service_order_node(service_order).put("", "", &mut grid);
    }
    grid
}

/// One sentence about all of it: how many service orders and tasks, what waits for a person, how long it took.
pub(super) fn summary(order: &Value) -> Styled {
    let service_orders = text::rows(&order["serviceOrders"]);
    let tasks: Vec<&Value> = service_orders.iter().flat_map(|order| text::rows(&order["tasks"])).collect();
    if tasks.is_empty() {
        return Styled::default();
    }
    let count =
        |wanted: &dyn Fn(&str) -> bool| tasks.iter().filter(|task| task["state"].as_str().is_some_and(wanted)).count();
    let done = count(&|state| state == "completed");
    let waiting = count(&|state| NEEDS_A_PERSON.contains(&state));
    let orders = match service_orders.len() {
        1 => "1 service order".to_owned(),
        many => format!("{many} service orders"),
    };
    let all = dim(format!("{orders} · {done} of {} network tasks done", tasks.len()));
    let waiting = if waiting == 0 {
        Styled::default()
    } else {
        Styled::of(Look::Bad, format!("⚠ {waiting} waiting for a person"))
    };
    Styled::joined([all, waiting, dim(between(order, "submittedAt", "completedDate"))], " · ")
}

impl Node {
    /// Puts the row of this node and of those below it; `here` leads to its name, `under` to theirs.
    fn put(self, here: &str, under: &str, grid: &mut Grid) {
        grid.row(vec![dim(here).then(self.name).into(), Styled::state_in_row(&self.state).into(), self.detail.into()]);
        if !self.trouble.is_empty() {
            let trunk = if self.below.is_empty() { "   " } else { "│  " };
            grid.note(dim(format!("{under}{trunk}")), Styled::of(Look::Bad, format!("⚠ {}", self.trouble)));
        }
        let last = self.below.len().saturating_sub(1);
        for (place, node) in self.below.into_iter().enumerate() {
            let (branch, trunk) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            node.put(&format!("{under}{branch}"), &format!("{under}{trunk}"), grid);
        }
    }
}

fn service_order_node(view: &Value) -> Node {
    // As they were made: of two ids that differ in length the longer one is later.
    let mut tasks = text::rows(&view["tasks"]).to_vec();
    tasks.sort_by_key(|task| (text::field(task, "id").len(), text::field(task, "id")));
    let services = text::rows(&view["services"]);
    let mut below: Vec<Node> = services.iter().map(|service| service_node(service, &tasks)).collect();
    // A task of a service that nobody looked up is still a task of this order.
    let known: Vec<&Value> = services.iter().flat_map(ids).collect();
    below.extend(tasks.iter().filter(|task| !known.contains(&&task["serviceId"])).map(task_node));
    Node {
        name: named(view, "kind"),
        state: text::field(view, "state"),
        detail: Styled::default(),
        trouble: text::field(view, "stateReason"),
        below,
    }
}

/// The ids of a service and of those below it.
fn ids(service: &Value) -> Vec<&Value> {
    [&service["id"]].into_iter().chain(text::rows(&service["children"]).iter().flat_map(ids)).collect()
}

fn service_node(view: &Value, tasks: &[Value]) -> Node {
    let own = tasks.iter().filter(|task| task["serviceId"] == view["id"]).map(task_node);
    let children = text::rows(&view["children"]).iter().map(|child| service_node(child, tasks));
    let (name, kind) = (text::field(view, "name"), text::field(view, "type"));
    Node {
        name: named(view, "name"),
        state: text::field(view, "state"),
        detail: if name.ends_with(&kind) { Styled::default() } else { dim(kind) },
        trouble: String::new(),
        below: own.chain(children).collect(),
    }
}

fn task_node(view: &Value) -> Node {
    let attempts = match view["attempts"].as_i64() {
        Some(attempts) if attempts > 1 => format!("{attempts} attempts"),
        _ => String::new(),
    };
    let details = [dim(took(view)), Styled::of(Look::Waits, attempts)];
    Node {
        name: named(view, "taskType"),
        state: text::field(view, "state"),
        detail: Styled::joined(details, " · "),
        trouble: text::field(view, "lastError"),
        below: Vec::new(),
    }
}

fn named(view: &Value, name: &str) -> Styled {
    Styled::joined([Styled::plain(text::field(view, "id")), dim(text::field(view, name))], "  ")
}

/// How long a task took.
fn took(task: &Value) -> String {
    between(task, "startedAt", "completedAt")
}

/// How long it was from one instant to another: `12 ms`, `1.2 s`. Nothing while one of them is missing.
fn between(view: &Value, start: &str, end: &str) -> String {
    let at = |name: &str| view[name].as_str()?.parse::<DateTime<Utc>>().ok();
    match (at(start), at(end)) {
        (Some(start), Some(end)) => {
            let milliseconds = (end - start).num_milliseconds().max(0);
            if milliseconds < 1000 {
                return format!("{milliseconds} ms");
            }
            format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
        }
        _ => String::new(),
    }
}
