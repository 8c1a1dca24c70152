//! What wit-bindgen makes of `wit/step@0.2.0`. The words are explained there.
//!
//! Most guests need none of this: they implement [`crate::Step`]. A guest that wants the raw contract implements
//! [`Guest`] and exports itself with [`crate::export_raw!`].

wit_bindgen::generate!({
    path: "../../wit/step@0.2.0",
    world: "step",
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "lockstep_sdk::bindings",
    additional_derives: [PartialEq],
});
