use super::{board, with_board};
use crate::args::{SetArgs, SettingsCommand};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::render;
use lockstep_ports::BoardCommand;
use lockstep_types::board::{Money, Price, Pricing, SettingsPatch, SpendLimit, TaskLimit, WorkspaceId};
use std::collections::BTreeMap;

/// `lockstep settings …`
pub(super) async fn settings(context: &Context, command: SettingsCommand) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match command {
        SettingsCommand::Show => {
            let view = with_board(context, "settings show", async |board, _| {
                Ok(board.spend(&workspace, None).await?.settings)
            });
            context.term.show(&view.await?, render::settings)?;
            Ok(Exit::Done)
        }
        SettingsCommand::Set(args) => set(context, &workspace, *args).await,
    }
}

async fn set(context: &Context, workspace: &WorkspaceId, args: SetArgs) -> anyhow::Result<Exit> {
    let reply = with_board(context, "settings set", async |board, _| {
        if args == SetArgs::default() {
            return Refused::because("nothing to change: give a field, see `lockstep settings set --help`");
        }
        let known = board.spend(workspace, None).await?.settings.pricing;
        let patch = SettingsPatch {
            task_limit: args.task_limit.clone(),
            waiting_escalation_minutes: args.escalation_minutes,
            pricing: pricing(known, args)?,
        };
        Ok(board.command(workspace, BoardCommand::EditSettings(patch), &context.by).await?)
    });
    board::told(context, "changed", &reply.await?)
}

/// The budget with what is given; none if nothing of it is. It is set as a whole.
fn pricing(known: Pricing, args: SetArgs) -> anyhow::Result<Option<Pricing>> {
    let mut next = known.clone();
    for model in &args.no_price {
        if next.prices.remove(model).is_none() {
            return Refused::because(format!("{model:?} has no price: see `lockstep settings show`"));
        }
    }
    next.prices.extend(args.price);
    next.currency = args.currency.unwrap_or(next.currency);
    next.monthly_limit = args.monthly_limit.unwrap_or(next.monthly_limit);
    next.default_price = args.default_price.unwrap_or(next.default_price);
    Ok((next != known).then_some(next))
}

fn money(text: &str) -> Result<Money, String> {
    let units = text.parse().ok().and_then(Money::from_units);
    units.ok_or_else(|| format!("{text:?} is no amount: write a number such as 0.14"))
}

/// `250`, `none`
pub(crate) fn spend_limit(text: &str) -> Result<SpendLimit, String> {
    if text == "none" { Ok(SpendLimit::None) } else { money(text).map(SpendLimit::Amount) }
}

/// `1.1/8.8`
pub(crate) fn price(text: &str) -> Result<Price, String> {
    let Some((input, output)) = text.split_once('/') else {
        return Err("write the prices of a million tokens read and written, such as 1.1/8.8".to_owned());
    };
    Ok(Price { input_per_million: money(input)?, output_per_million: money(output)? })
}

/// `openai:gpt-5=1.1/8.8`
pub(crate) fn model_price(text: &str) -> Result<(String, Price), String> {
    match text.rsplit_once('=') {
        Some((model, amounts)) if !model.is_empty() => Ok((model.to_owned(), price(amounts)?)),
        _ => Err("write a model and its prices, such as openai:gpt-5=1.1/8.8".to_owned()),
    }
}

/// `off`, `3`, `bug=2,feature=4`
pub(crate) fn task_limit(text: &str) -> Result<TaskLimit, String> {
    if text == "off" {
        return Ok(TaskLimit::Off);
    }
    if let Ok(limit) = text.parse() {
        return Ok(TaskLimit::Shared { limit });
    }
    let mut limits = BTreeMap::new();
    for part in text.split(',') {
        let read = part
            .split_once('=')
            .and_then(|(word, limit)| Some((board::word(word).ok()?, limit.parse().ok()?)));
        let Some((task_type, limit)) = read else {
            return Err("write off, a number, or numbers by type such as bug=2,feature=4".to_owned());
        };
        limits.insert(task_type, limit);
    }
    Ok(TaskLimit::PerType { limits })
}

#[cfg(test)]
mod tests {
    use super::{model_price, spend_limit, task_limit};
    use expect_test::expect;

    #[test]
    fn limits_and_prices_are_read_as_people_write_them() {
        let limits = ["off", "3", "bug=2,feature=4", "many", "bug", "bug=-1", "story=1"];
        let limits = limits.map(|text| format!("{text}: {:?}\n", task_limit(text))).concat();
        let budgets = ["none", "0", "99.5", "-1", "NaN", "much"];
        let budgets = budgets.map(|text| format!("{text}: {:?}\n", spend_limit(text))).concat();
        let prices = ["a:b=1.1/8.8", "a=1", "=1/2", "a=b=1/2"];
        let prices = prices.map(|text| format!("{text}: {:?}\n", model_price(text))).concat();
        expect![[r#"
            off: Ok(Off)
            3: Ok(Shared { limit: 3 })
            bug=2,feature=4: Ok(PerType { limits: {Feature: 4, Bug: 2} })
            many: Err("write off, a number, or numbers by type such as bug=2,feature=4")
            bug: Err("write off, a number, or numbers by type such as bug=2,feature=4")
            bug=-1: Err("write off, a number, or numbers by type such as bug=2,feature=4")
            story=1: Err("write off, a number, or numbers by type such as bug=2,feature=4")
            none: Ok(None)
            0: Ok(Amount(Money(0)))
            99.5: Ok(Amount(Money(99500000)))
            -1: Err("\"-1\" is no amount: write a number such as 0.14")
            NaN: Err("\"NaN\" is no amount: write a number such as 0.14")
            much: Err("\"much\" is no amount: write a number such as 0.14")
            a:b=1.1/8.8: Ok(("a:b", Price { input_per_million: Money(1100000), output_per_million: Money(8800000) }))
            a=1: Err("write the prices of a million tokens read and written, such as 1.1/8.8")
            =1/2: Err("write a model and its prices, such as openai:gpt-5=1.1/8.8")
            a=b=1/2: Ok(("a=b", Price { input_per_million: Money(1000000), output_per_million: Money(2000000) }))
        "#]].assert_eq(&(limits + &budgets + &prices));
    }
}
