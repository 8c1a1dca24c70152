use super::world::World;
use expect_test::expect;
use lockstep_types::Policy;
use lockstep_types::board::{Change, ItemPatch, PresetPatch, Row};

fn named(name: &str) -> PresetPatch {
    PresetPatch { name: Some(name.to_owned()), ..PresetPatch::default() }
}

#[test]
fn one_preset_is_the_default_whatever_is_done() {
    let mut world = World::new();
    let balanced = world.board.presets().next().unwrap().id.clone();
    let (careful, changes) = world.board.create_preset(named("Careful")).unwrap();
    world.tell("create", Ok(changes));
    let default = |wanted| PresetPatch { is_default: Some(wanted), ..PresetPatch::default() };
    let answer = world.board.edit_preset(&balanced, default(false));
    world.tell("the default no longer", answer);
    let answer = world.board.delete_preset(&balanced);
    world.tell("delete the default", answer);
    let answer = world.board.edit_preset(&careful, default(true));
    world.tell("another default", answer);
    let answer = world.board.delete_preset(&balanced);
    world.tell("delete the old one", answer);
    let answer = world.board.delete_preset(&balanced);
    world.tell("delete it again", answer);
    expect![[r#"
        create
            + preset/preset-14 "Careful"
        the default no longer
            conflict: preset "Balanced" is the default: make another one the default instead
        delete the default
            conflict: preset "Balanced" is the default: make another one the default first
        another default
            + preset/preset-1 "Balanced"
            + preset/preset-14 "Careful" default
        delete the old one
            - preset/preset-1
        delete it again
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn presets_keep_their_bounds() {
    let mut world = World::new();
    for (what, patch) in [
        ("no name", PresetPatch::default()),
        ("a long name", named(&"x".repeat(61))),
        ("risk", PresetPatch { max_risk: Some(1.1), ..named("A") }),
        ("not a number", PresetPatch { max_impact: Some(f64::NAN), ..named("A") }),
        ("attempts", PresetPatch { ci_max_attempts: Some(51), ..named("A") }),
        ("reviews", PresetPatch { max_review_iterations: Some(0), ..named("A") }),
        ("watching", PresetPatch { release_watch_minutes: Some(0), ..named("A") }),
        ("investigations", PresetPatch { release_max_attempts: Some(11), ..named("A") }),
        (
            "at the bounds",
            PresetPatch { ci_max_attempts: Some(0), release_watch_minutes: Some(720), ..named("A") },
        ),
    ] {
        let answer = world.board.create_preset(patch).map(|(_, changes)| changes);
        world.tell(what, answer);
    }
    expect![[r#"
        no name
            invalid: the preset's name must be one line of 1 to 60 characters
        a long name
            invalid: the preset's name must be one line of 1 to 60 characters
        risk
            invalid: the ceiling of risk must be between 0 and 1
        not a number
            invalid: the ceiling of impact must be between 0 and 1
        attempts
            invalid: the CI attempts must be 0 to 50
        reviews
            invalid: the review iterations must be 1 to 20
        watching
            invalid: the minutes a release is watched must be 1 to 720
        investigations
            invalid: the investigations of a regression must be 0 to 10
        at the bounds
            + preset/preset-14 "A"
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn an_item_has_its_own_preset_while_that_exists_and_the_default_otherwise() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let task = world.task(&service, "Discounts");
    let strict = PresetPatch { max_risk: Some(0.0), ..named("Strict") };
    let (strict, changes) = world.board.create_preset(strict).unwrap();
    world.board.apply(&changes);
    let policy = |world: &World| world.board.policy_for(world.board.item(&task).unwrap(), Policy::default());
    assert_eq!(policy(&world), Policy::default(), "Balanced is what a policy is by default");
    world.edit(&task, ItemPatch { preset: Some(Some(strict.clone())), ..ItemPatch::default() });
    assert_eq!(policy(&world), Policy { max_risk: 0.0, ..Policy::default() });
    let changes = world.board.delete_preset(&strict).unwrap();
    world.board.apply(&changes);
    assert_eq!(policy(&world), Policy::default());
    // A stored preset outside the bounds of editing is taken as it is.
    let mut watchless = world.board.presets().next().unwrap().clone();
    watchless.release_watch_minutes = 0;
    world.board.apply(&[Change::Put(Row::Preset(watchless))]);
    assert_eq!(policy(&world).release_watch_minutes, 0);
}
