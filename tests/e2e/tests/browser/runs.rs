use crate::server::Server;
use crate::shop::Shop;
use crate::visitor::Visitor;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_user_signs_in_and_sees_a_run_begin_and_end_without_asking_again() {
    let shop = Shop::new();
    let server = Server::start(&shop.host);
    let Some(visitor) = Visitor::new(&server).await else { return };
    visitor.open("/").await;
    visitor.see("Sign in").await;
    visitor.shoot("sign-in").await;
    visitor.sign_in(&server).await;
    visitor.press("Runs").await;
    visitor.see("No runs").await;
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt");
    let mut run = shop.host.command(&args).stdout(std::process::Stdio::null()).spawn().unwrap();
    visitor.see("6 of 6").await;
    assert!(run.wait().unwrap().success());
    visitor.shoot("runs").await;
    visitor.press("Sign out").await;
    visitor.see("Sign in").await;
    visitor.has_nothing_to_complain_of();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_list_of_runs_needs_no_script() {
    let shop = Shop::new();
    let server = Server::start(&shop.host);
    let Some(visitor) = Visitor::without_scripts(&server).await else { return };
    visitor.sign_in(&server).await;
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    assert_eq!(
        shop.host.run(&shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt")).status,
        Some(0)
    );
    visitor.press("Runs").await;
    visitor.see("done").await;
    visitor.choose("State", "failed").await;
    visitor.press("Show").await;
    visitor.see("No run fits").await;
    visitor.has_nothing_to_complain_of();
}
