use super::world::{NOW, World};
use crate::spend::{cost, price};
use expect_test::expect;
use lockstep_types::board::{Money, Month, Price, Pricing, SettingsPatch, SpendLimit};
use lockstep_types::{Timestamp, Usage};

fn units(amount: f64) -> Money {
    Money::from_units(amount).unwrap()
}

fn each(input: f64, output: f64) -> Price {
    Price { input_per_million: units(input), output_per_million: units(output) }
}

#[test]
fn a_model_has_its_own_price_or_its_providers_or_the_default() {
    let prices = [("acme:large", each(3.0, 15.0)), ("acme", each(1.0, 2.0)), ("zoo:a:b", each(9.0, 9.0))];
    let prices = prices.map(|(name, price)| (name.to_owned(), price)).into();
    let pricing = Pricing { prices, ..Pricing::default() };
    let input = |model| price(&pricing, model).input_per_million.to_string();
    let models = ["acme:large", "acme:small", "acme", "zoo:a:b", "zoo", "unknown", ""];
    let told: Vec<String> = models.iter().map(|model| format!("{model} {}", input(model))).collect();
    expect!["acme:large 3, acme:small 1, acme 1, zoo:a:b 9, zoo 0.14, unknown 0.14,  0.14"]
        .assert_eq(&told.join(", "));
}

#[test]
fn costs_add_up_exactly_within_a_month() {
    let mut world = World::new();
    let usage = Usage { input_tokens: 100, output_tokens: 10 };
    assert_eq!(cost(Pricing::default().default_price, usage).to_string(), "0.00002", "19.5 millionths");
    assert_eq!(cost(each(1.0, 1.0), Usage { input_tokens: u64::MAX, output_tokens: 1 }), Money::MAX);
    for _ in 0..1000 {
        let changes = world.board.meter("any", usage, NOW);
        world.board.apply(&changes);
    }
    let february = Timestamp(1_769_904_000_000);
    let answer = Ok(world.board.meter("any", usage, february));
    world.tell("in February", answer);
    let january = world.board.spent(Month::from(NOW));
    world.note(format!("{} {} {}", january.month, january.cost, january.input_tokens));
    expect![[r#"
        in February
            + spend/2026-02 0.00002 100/10
        2026-01 0.02 100000
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn a_budget_is_spent_at_its_limit() {
    let mut world = World::new();
    let limited = |world: &mut World, monthly_limit| {
        let pricing = Pricing { monthly_limit, ..Pricing::default() };
        let changes =
            world.board.edit_settings(SettingsPatch { pricing: Some(pricing), ..SettingsPatch::default() });
        world.board.apply(&changes.unwrap());
    };
    let spend = |world: &mut World, amount: f64| {
        let changes = world.board.add_cost(units(amount), Usage::default(), NOW);
        world.board.apply(&changes);
    };
    spend(&mut world, 99.999_999);
    assert!(!world.board.is_over_budget(NOW), "100 is the default limit");
    spend(&mut world, 0.000_001);
    assert!(world.board.is_over_budget(NOW));
    assert!(!world.board.is_over_budget(Timestamp(1_769_904_000_000)), "a new month, a new budget");
    limited(&mut world, SpendLimit::None);
    assert!(!world.board.is_over_budget(NOW));
    limited(&mut world, SpendLimit::Amount(Money::ZERO));
    assert!(world.board.is_over_budget(Timestamp(1_769_904_000_000)), "0 means nothing may be spent");
}
