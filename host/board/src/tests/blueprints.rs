use super::world::{NOW, World, refusal};
use crate::Blueprint;
use expect_test::expect;
use lockstep_types::ItemLevel;
use serde_json::json;

fn blueprint(modules: &serde_json::Value) -> String {
    json!({"service": {
        "type": "api", "name": " Pay ", "summary": "Takes money.", "references": ["src/lib.rs"], "modules": modules,
    }})
    .to_string()
}

#[test]
fn a_blueprint_is_read_strictly() {
    let long = "x".repeat(121);
    let told: Vec<String> = [
        "nonsense".to_owned(),
        "{}".to_owned(),
        json!({"service": {"type": "moon", "name": "A", "summary": ""}}).to_string(),
        blueprint(&json!([{"name": long, "summary": ""}])),
        blueprint(&json!([{"name": "A", "summary": "x".repeat(2001)}])),
        blueprint(&json!([{"name": "A", "summary": "", "references": [""]}])),
        blueprint(&json!([{"name": "A", "summary": "", "owner": "ann"}])),
        blueprint(&json!([{"name": "A", "summary": ""}])),
    ]
    .iter()
    .map(|text| Blueprint::parse(text).map_or_else(|rejected| refusal(&rejected), |plan| format!("{plan:?}")))
    .collect();
    expect![[r#"
        invalid: not a blueprint: expected ident at line 1 column 2: write it again as its schema says
        invalid: not a blueprint: missing field `service` at line 1 column 2: write it again as its schema says
        invalid: not a blueprint: unknown variant `moon`, expected one of `frontend`, `service`, `api`, `database`, `queue`, `integration`, `external`, `environment` at line 1 column 49: write it again as its schema says
        invalid: the name in a blueprint must be one line of 1 to 120 characters
        invalid: the summary in a blueprint has more than 2000 characters: shorten it
        invalid: the reference in a blueprint must be one line of 1 to 400 characters
        invalid: not a blueprint: unknown field `owner`, expected one of `name`, `summary`, `references` at line 1 column 42: write it again as its schema says
        Blueprint { service: ServicePlan { service_type: Api, name: "Pay", summary: "Takes money.", references: ["src/lib.rs"], modules: [ModulePlan { name: "A", summary: "", references: [] }] } }"#]].assert_eq(&told.join("\n"));
}

#[test]
fn a_blueprint_adds_and_refreshes_and_never_takes_away() {
    let mut world = World::new();
    let service = world.service("Payments");
    let cart = world.item(ItemLevel::Module, Some(&service), "Shopping Cart");
    world.item(ItemLevel::Module, Some(&service), "Kept");
    world.task(&cart, "A task");
    let modules = json!([
        {"name": "shopping cart ", "summary": "Holds what is bought."},
        {"name": "Refunds", "summary": "Gives it back.", "references": ["src/refund.rs", "src/bank.rs"]},
        {"name": "REFUNDS", "summary": "Said twice."},
        {"name": "Kept", "summary": ""},
    ]);
    let plan = Blueprint::parse(&blueprint(&modules)).unwrap();
    let answer = world.board.ingest_blueprint(Some(&service), &plan, NOW);
    world.tell("into its service", answer);
    let answer = world.board.ingest_blueprint(Some(&service), &plan, NOW);
    world.tell("again", answer);
    let answer = world.board.ingest_blueprint(None, &plan, NOW);
    world.tell("into nothing", answer);
    expect![[r#"
        into its service
            + item/shop-14 Service "Payments" Planned "Takes money.\n\nCode:\n- src/lib.rs"
            + item/shop-15 Module "Shopping Cart" Planned in shop-14 "Holds what is bought."
            + item/shop-18 Module "Refunds" Planned in shop-14 "Gives it back.\n\nCode:\n- src/refund.rs\n- "
        again
        into nothing
            + item/shop-19 Service "Pay" Planned "Takes money.\n\nCode:\n- src/lib.rs"
            + item/shop-20 Module "shopping cart" Planned in shop-19 "Holds what is bought."
            + item/shop-21 Module "Refunds" Planned in shop-19 "Gives it back.\n\nCode:\n- src/refund.rs\n- "
            + item/shop-22 Module "Kept" Planned in shop-19
    "#]]
    .assert_eq(&world.told());
}
