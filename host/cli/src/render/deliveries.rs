use super::{Style, Tone, bytes, clean, line};
use crate::commands::DeliveryView;
use lockstep_ports::{Delivery, DeliveryState};

/// Longest outcome in a list.
const OUTCOME_MAX: usize = 80;

pub(crate) fn deliveries(style: &Style, list: &[Delivery]) -> String {
    if list.is_empty() {
        return "no deliveries\n".to_owned();
    }
    let row = |delivery: &Delivery| {
        vec![
            (Tone::Strong, line(&delivery.id, usize::MAX)),
            (Tone::Plain, line(&delivery.event, usize::MAX)),
            (tone(delivery.state), delivery.state.word().to_owned()),
            (Tone::Faint, style.moment(delivery.received_at)),
            (Tone::Plain, line(delivery.outcome.as_deref().unwrap_or_default(), OUTCOME_MAX)),
        ]
    };
    style.table(&["DELIVERY", "EVENT", "STATE", "CAME", "OUTCOME"], &list.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn delivery(style: &Style, view: &DeliveryView) -> String {
    let DeliveryView { delivery, payload } = view;
    let state = style.paint(tone(delivery.state), delivery.state.word());
    let mut text = format!(
        "{} {}, {state}, {}, came {}\n",
        style.paint(Tone::Strong, &line(&delivery.id, usize::MAX)),
        line(&delivery.event, usize::MAX),
        bytes(delivery.bytes),
        style.moment(delivery.received_at)
    );
    if let Some(outcome) = &delivery.outcome {
        text.push_str(&format!("  {}\n", line(outcome, usize::MAX)));
    }
    if delivery.replays > 0 {
        text.push_str(&format!("  replayed {} times\n", delivery.replays));
    }
    let payload = serde_json::to_string_pretty(payload).unwrap_or_default();
    text.extend(payload.lines().map(|line| clean(line) + "\n"));
    text
}

fn tone(state: DeliveryState) -> Tone {
    match state {
        DeliveryState::Waiting => Tone::Plain,
        DeliveryState::Done => Tone::Good,
        DeliveryState::Ignored => Tone::Faint,
        DeliveryState::Failed => Tone::Bad,
    }
}
