//! Every route under `/v1`: its path, its handler, who may ask it, and what it does. [`Role::Viewer`] looks,
//! [`Role::Operator`] acts on runs and boards and takes the host's time, [`Role::Admin`] changes what the host runs.

use super::{
    access, act, answer, backtests, board, components, events, items, kinds, library, money, notices,
};
use super::{deliveries, runs, schedules, workers};
use crate::AppState;
use crate::api::Api;
use crate::identity::Role::{Admin, Operator, Viewer};

pub(super) fn all(state: &AppState) -> Api {
    let mut api = Api::new(state.clone());
    of_runs(&mut api);
    of_the_feed(&mut api);
    of_notices(&mut api);
    of_workspaces(&mut api);
    api.under("/workspaces/{workspace}");
    of_items(&mut api);
    of_the_library(&mut api);
    of_schedules(&mut api);
    of_money(&mut api);
    api.under("");
    of_components(&mut api);
    of_kinds(&mut api);
    of_workers(&mut api);
    of_deliveries(&mut api);
    of_access(&mut api);
    api
}

fn of_runs(api: &mut Api) {
    api.tag("Runs");
    api.get("/runs", runs::list, Viewer, "Lists runs, the newest first");
    api.post("/runs", runs::start, Operator, "Starts a run of a branch");
    api.get("/runs/{run}", runs::show, Viewer, "Shows a run with its steps, facts and notices");
    api.get("/runs/{run}/timeline", runs::timeline, Viewer, "Tells what happened in a run, in order");
    api.get("/runs/{run}/why", runs::why, Viewer, "Says what a run waits for, since when, and who can act");
    api.post("/runs/{run}/stop", runs::stop, Operator, "Stops a run; it ends as failed");
    api.post("/runs/{run}/retry", runs::retry, Operator, "Lets a failed run go on where it failed");
    api.post("/runs/{run}/restart", runs::restart, Operator, "Begins a run again from one of its steps");
    api.post("/runs/{run}/repin", runs::repin, Operator, "Moves a live run to other components");
    api.post("/runs/{run}/pause", runs::pause, Operator, "Holds a run back");
    api.post("/runs/{run}/resume", runs::resume, Operator, "Lets a paused run go on");
    api.post("/runs/{run}/answers", answer::answer, Operator, "Answers the question a run waits on");
    api.post("/runs/{run}/actions", act::on_run, Operator, "Acts on a parked step, as its component allows");
    api.post("/runs/{run}/teardown", act::tear_down, Operator, "Tears down the environments of a run");
    api.get("/runs/{run}/invocations", runs::invocations, Viewer, "Lists the recorded calls of a run");
    api.get("/runs/{run}/steps/{step}/log", runs::log, Viewer, "Shows the end of the log of a step's job");
    api.post("/runs/{run}/replay", runs::replay, Operator, "Makes every recorded call again and compares");
    api.post("/runs/{run}/verify", runs::verify, Operator, "Replays a run and checks its journal");
    api.post("/pipelines/check", runs::check, Viewer, "Checks a pipeline file without storing it");
}

fn of_the_feed(api: &mut Api) {
    api.tag("Feed");
    api.get("/events", events::stream, Viewer, "Streams what happens in all runs");
    api.get("/feed", events::feed, Viewer, "Answers a page of what the stream tells");
}

fn of_notices(api: &mut Api) {
    api.tag("Notices");
    api.get("/notices", notices::list, Viewer, "Lists the open notices, the oldest first");
    api.post("/notices/{id}/act", notices::act, Operator, "Does what a notice asks for");
    api.post("/notices/{id}/dismiss", notices::dismiss, Operator, "Closes a notice");
}

fn of_workspaces(api: &mut Api) {
    api.tag("Workspaces");
    api.get("/workspaces", board::workspaces, Viewer, "Lists the workspaces");
    api.post("/workspaces", board::create, Admin, "Makes a workspace with its first presets and pipelines");
}

fn of_items(api: &mut Api) {
    api.tag("Items");
    api.get("/items", items::list, Viewer, "Lists the items of a workspace");
    api.post("/items", items::create, Operator, "Makes an item");
    api.get("/items/{id}", items::show, Viewer, "Shows an item with its run and its open notices");
    api.patch("/items/{id}", items::edit, Operator, "Changes fields of an item");
    api.delete("/items/{id}", items::delete, Operator, "Removes an item and all below it");
    api.post("/items/{id}/start", items::start, Operator, "Starts a run of an item");
    api.post("/items/{id}/cancel", items::cancel, Operator, "Drops the run of an item");
    api.post("/items/{id}/merge", items::merge, Operator, "Merges the change of an item that awaits it");
    api.post("/items/{id}/move", items::put_elsewhere, Operator, "Puts an item elsewhere on the board");
    api.put("/items/{id}/dependencies/{on}", items::depend, Operator, "Makes an item wait for another");
    api.delete(
        "/items/{id}/dependencies/{on}",
        items::no_longer_depend,
        Operator,
        "Lets an item no longer wait for another",
    );
    api.post("/items/{id}/reviews/{kind}/actions", act::on_review, Operator, "Acts on a review of an item");
}

fn of_the_library(api: &mut Api) {
    api.tag("Presets");
    api.get("/presets", library::presets, Viewer, "Lists the presets, the default first");
    api.post("/presets", library::create_preset, Operator, "Makes a preset");
    api.get("/presets/{id}", library::preset, Viewer, "Shows a preset");
    api.patch("/presets/{id}", library::edit_preset, Operator, "Changes fields of a preset");
    api.delete("/presets/{id}", library::delete_preset, Operator, "Removes a preset");
    api.tag("Pipelines");
    api.get("/pipelines", library::pipelines, Viewer, "Lists the pipelines of a workspace");
    api.post("/pipelines", library::create_pipeline, Operator, "Makes a pipeline");
    api.get("/pipelines/{id}", library::pipeline, Viewer, "Shows a pipeline with its steps");
    api.patch("/pipelines/{id}", library::edit_pipeline, Operator, "Changes fields of a pipeline");
    api.delete("/pipelines/{id}", library::delete_pipeline, Operator, "Removes a pipeline");
    api.post("/pipelines/{id}/clone", library::clone_pipeline, Operator, "Makes a pipeline like another");
}

fn of_schedules(api: &mut Api) {
    api.tag("Schedules");
    api.get("/schedules", schedules::list, Viewer, "Lists the schedules of a workspace");
    api.post("/schedules", schedules::create, Operator, "Makes a schedule and the task it starts");
    api.get("/schedules/{id}", schedules::show, Viewer, "Shows a schedule");
    api.patch("/schedules/{id}", schedules::edit, Operator, "Changes fields of a schedule");
    api.delete("/schedules/{id}", schedules::delete, Operator, "Removes a schedule with its task");
    api.post("/schedules/{id}/run", schedules::run, Operator, "Starts the task of a schedule now");
    api.get("/schedules/{id}/runs", schedules::runs, Viewer, "Lists what a schedule started");
}

fn of_money(api: &mut Api) {
    api.tag("Settings and spend");
    api.get("/settings", money::settings, Viewer, "Shows the settings of a workspace");
    api.patch("/settings", money::edit_settings, Operator, "Changes the settings of a workspace");
    api.get("/spend", money::spend, Viewer, "Shows what a month cost, against the limit");
    api.post("/spend/resume", money::resume, Operator, "Lets runs go on that wait for a budget");
}

fn of_components(api: &mut Api) {
    api.tag("Components");
    api.get("/components", components::list, Viewer, "Lists the stored components");
    api.post("/components", components::add, Admin, "Stores a component");
    api.post("/components/inspect", components::inspect, Operator, "Looks at a component, storing nothing");
    api.post("/components/gc", components::collect, Admin, "Removes components that nothing needs");
    api.post("/components/activations", components::activate, Admin, "Makes a kind run on a component");
    api.get("/components/activations/{kind}", components::history, Viewer, "Lists what a kind ran on");
    api.get("/components/{digest}", components::show, Viewer, "Shows what a component is and wants");
    api.get("/components/{digest}/wasm", components::bytes, Viewer, "Gives the bytes of a component");
    api.post("/components/{digest}/stop", components::stop, Admin, "Lets no run call a component");
    api.post("/components/{digest}/resume", components::resume, Admin, "Lets runs call a component again");
    api.post("/components/{digest}/signatures", components::sign, Admin, "Adds a signature to a component");
    api.post("/backtests", backtests::run, Operator, "Makes recorded calls again with another component");
}

fn of_kinds(api: &mut Api) {
    api.tag("Kinds");
    api.get("/kinds", kinds::list, Viewer, "Lists the step kinds");
    api.get("/kinds/{kind}", kinds::show, Viewer, "Shows what a kind runs on and may do");
    api.post("/kinds/{kind}/grant", kinds::grant, Admin, "Changes what the components of a kind may do");
    api.post("/kinds/{kind}/rollback", kinds::rollback, Admin, "Makes a kind run on what it ran on before");
    api.get("/kinds/{kind}/canary", kinds::canary, Viewer, "Compares a canary with the active component");
    api.post(
        "/kinds/{kind}/canary",
        kinds::begin_canary,
        Admin,
        "Gives a share of new runs another component",
    );
    api.post("/kinds/{kind}/promote", kinds::promote, Admin, "Makes the canary the active component");
    api.post("/dirs", kinds::keep_dir, Admin, "Keeps a folder that kinds can be granted");
    api.get("/trust", kinds::trust, Viewer, "Shows whose signatures count");
    api.post("/trust", kinds::change_trust, Admin, "Changes whose signatures count");
    api.get("/components/audit", kinds::audit, Admin, "Lists who changed which component or grant, and why");
}

fn of_access(api: &mut Api) {
    api.tag("Access");
    api.get("/tokens", access::tokens, Admin, "Lists the tokens, never their secrets");
    api.post("/tokens", access::add, Admin, "Makes a token, and tells its secret once");
    api.delete("/tokens/{name}", access::revoke, Admin, "Ends a token and all sessions begun with it");
    api.post("/login-links", access::link, Admin, "Makes a link with which the local user signs in once");
    api.post("/audit", access::note, Admin, "Writes down what the local user did beside the host");
    api.get("/audit", access::audit, Admin, "Lists what was asked of the host, the newest first");
}

fn of_workers(api: &mut Api) {
    api.tag("Workers");
    api.get("/workers", workers::list, Viewer, "Lists the jobs for workers, and who has what");
    api.post(
        "/workers/lease",
        workers::lease,
        Operator,
        "Gives a worker its next job, as soon as there is one",
    );
    api.post(
        "/workers/heartbeat",
        workers::heartbeat,
        Operator,
        "Renews a lease, if the job is still wanted",
    );
    api.post("/workers/progress", workers::progress, Operator, "Says how far a job has come");
    api.post("/workers/logs", workers::logs, Operator, "Adds to the log of a job");
    api.post("/workers/bundle", workers::bundle, Operator, "Brings the commits of a job");
    api.post("/workers/complete", workers::complete, Operator, "Says that a job ended well");
    api.post("/workers/fail", workers::fail, Operator, "Says that a job ended badly");
}

fn of_deliveries(api: &mut Api) {
    api.tag("Deliveries");
    api.get("/deliveries", deliveries::list, Admin, "Lists deliveries of webhooks, the newest first");
    api.get("/deliveries/{id}", deliveries::show, Admin, "Shows a delivery with its payload");
    api.post("/deliveries/{id}/replay", deliveries::replay, Admin, "Has a delivery taken up again");
}
