use crate::args::GrantArgs;
use crate::commands::with_components;
use crate::context::Context;
use crate::exit::Refused;
use crate::render;
use lockstep_ports::GrantRequest;
use lockstep_types::Grant;

pub(super) async fn grant(context: &Context, args: GrantArgs) -> anyhow::Result<()> {
    let GrantArgs { kind, import, job, effect, revoke, force, reason } = args;
    let grant = Grant { imports: import, jobs: job, effects: effect };
    if revoke && grant == Grant::default() {
        return Refused::because("say what is taken away: --import, --job or --effect");
    }
    let request = GrantRequest { grant, revoke, force, by: Some(context.by.clone()), reason };
    let view = with_components(context, "component grant", async |service| {
        Ok(service.grant(&kind, request).await?)
    });
    context.term.show(&view.await?, render::kind_grant)
}
