//! What a component returns: memory laid out as the contract says, or almost. Half of the inputs are laid out by walking
//! the types of the contract, so that they are let in by the canonical ABI and reach what the host makes of them; the
//! other half are raw memory, with pointers, lengths and cases that are nobody's.

use crate::component::{runtime, sandbox};
use async_trait::async_trait;
use lockstep_ports::{Observer, StepExecutor as _};
use lockstep_sandbox::Sandbox;
use lockstep_simulator::{Kinds, MemoryComponents};
use lockstep_types::{
    Digest, Grant, Invocation, JsonText, ObservationAnswer, ObservationRequest, ObserveFailure, Outcome,
    StepInput,
};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind, TypeId};

/// Where the component puts what it returns.
const BASE: usize = 65_536;
/// Where its descriptor is.
const DESCRIPTOR: usize = 1024;
/// What its descriptor is laid out by: texts, a state version of 1, a schema that takes anything, empty lists.
const DESCRIBED: [u8; 14] = [4, 4, 1, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0];
/// Bytes laid out for one answer: what the component has room for.
const LAID_OUT_MAX: usize = 64 << 10;
/// Entries of one list.
const LIST_MAX: u8 = 3;

/// Copies the hexadecimal text after `FUZZ` in its input to `BASE`, and returns that as its answer.
const MODULE: &str = r#"(module
  (memory (export "memory") 64)
  (global $end (mut i32) (i32.const 1048576))
  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $end) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $end (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func $digit (param $c i32) (result i32)
    (select (i32.sub (local.get $c) (i32.const 48)) (i32.sub (local.get $c) (i32.const 87))
      (i32.lt_u (local.get $c) (i32.const 58))))
  (func $copy (result i32) (local $from i32) (local $to i32)
    (local.set $from (i32.const 1048576)) (local.set $to (i32.const 65536))
    (loop $find
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br_if $find (i32.and (i32.lt_u (local.get $from) (global.get $end))
        (i32.ne (i32.load (local.get $from)) (i32.const 0x5a5a5546)))))
    (local.set $from (i32.add (local.get $from) (i32.const 4)))
    (block $done (loop $next
      (br_if $done (i32.lt_u (i32.load8_u (local.get $from)) (i32.const 48)))
      (i32.store8 (local.get $to) (i32.or
        (i32.shl (call $digit (i32.load8_u (local.get $from))) (i32.const 4))
        (call $digit (i32.load8_u (i32.add (local.get $from) (i32.const 1))))))
      (local.set $from (i32.add (local.get $from) (i32.const 2)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next)))
    (i32.const 65536))
  (func (export "describe") (result i32) (i32.const 1024))
  (func (export "advance") (param i32) (result i32) (call $copy))
  (func (export "migrate") (param i32 i32 i32) (result i32) (call $copy))"#;

struct World {
    runtime: Runtime,
    sandbox: Sandbox,
    component: Digest,
    contract: Contract,
    /// What `advance` and `migrate` return.
    advance: Type,
    migrate: Type,
}

/// The contract's types and how they lie in memory.
struct Contract {
    resolve: Resolve,
    sizes: SizeAlign,
}

/// Knows nothing.
struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured)
    }
}

/// An answer of `migrate` if the first byte has its second bit, else of `advance`; raw memory if it has its first.
pub(crate) fn returned(data: &[u8]) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(World::new);
    let Some((how, rest)) = data.split_first() else { return };
    let of_migrate = how & 2 != 0;
    let memory = if how & 1 != 0 {
        rest.to_vec()
    } else {
        let ty = if of_migrate { world.migrate } else { world.advance };
        Layout::of(&world.contract, BASE, ty, rest)
    };
    let mut hex = "\"FUZZ".to_owned();
    for byte in memory.iter().take(LAID_OUT_MAX) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.push('"');
    let given = JsonText::new(&hex).expect("a JSON string");
    if of_migrate {
        let migrated = world.runtime.block_on(world.sandbox.migrate(world.component, 1, &given));
        if let Ok(state) = migrated {
            assert!(serde_json::from_str::<serde_json::Value>(state.as_str()).is_ok(), "a state is JSON");
        }
        return;
    }
    let grant = Grant::default();
    let call = world.sandbox.invoke(world.component, &grant, input(given), &Nobody);
    check(&world.runtime.block_on(call));
}

/// Whatever came of it is one record, and reads as it was written.
fn check(invocation: &Invocation) {
    let written = serde_json::to_vec(invocation).expect("a record has a JSON form");
    let again: Invocation = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(*invocation, again);
    match &invocation.outcome {
        Outcome::Fault(fault) => assert!(!fault.message.is_empty() && !fault.message.contains('\n')),
        Outcome::Transition(transition) => {
            let state = transition.state.as_str();
            assert!(serde_json::from_str::<serde_json::Value>(state).is_ok(), "a state is JSON");
        }
    }
}

fn input(config: JsonText) -> StepInput {
    let input = json!({
        "run": { "id": "run-1", "item": "task-1", "title": "", "description": "", "initiator": "ann", "now": 1,
            "change": { "repository": "/r", "base_branch": "main", "head_branch": "x" },
            "facts": [], "outputs": [], "item_status": "in-progress", "documents": [], "is_errand": false },
        "step": { "name": "s", "kind": "s", "role": "s", "config": config, "policy": "{}", "attempt": 1,
            "is_final": false, "wired": [] },
        "decisions": [], "state": null, "event": { "started": null },
    });
    serde_json::from_value(input).expect("an input of constants")
}

impl World {
    fn new() -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(crate::path("../../wit/step@0.2.0")).expect("the contract");
        let id = resolve.select_world(&[package], None).expect("its world");
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        let result = |name: &str| {
            let exports = resolve.worlds[id].exports.values();
            let mut functions = exports.filter_map(|item| match item {
                wit_parser::WorldItem::Function(function) => Some(function),
                _ => None,
            });
            functions.find(|function| function.name == name).and_then(|function| function.result)
        };
        let types = ["describe", "advance", "migrate"].map(|name| result(name).expect("it answers"));
        let contract = Contract { resolve, sizes };
        let mut text = MODULE.to_owned();
        let _ = write!(text, "\n  (data (i32.const {DESCRIPTOR}) \"");
        for byte in Layout::of(&contract, DESCRIPTOR, types[0], &DESCRIBED) {
            let _ = write!(text, "\\{byte:02x}");
        }
        text.push_str("\"))");
        let mut module = wat::parse_str(text).expect("the module is well-formed");
        embed_component_metadata(&mut module, &contract.resolve, id, StringEncoding::UTF8)
            .expect("its world fits");
        let component = lockstep_authoring::wrap(&module).expect("it is a component");
        let digest = Digest::of(&component);
        let (store, runtime) = (Arc::<MemoryComponents>::default(), runtime());
        let sandbox = sandbox(Arc::clone(&store));
        let mut kinds = Kinds::default();
        let added = store.add(&sandbox, &mut kinds, None, "the component", component);
        runtime.block_on(added).expect("it is a step");
        Self { runtime, sandbox, component: digest, contract, advance: types[1], migrate: types[2] }
    }
}

/// Memory in the making: every choice is the next byte of the input, and the first of them when it is used up.
struct Layout<'w, 'd> {
    contract: &'w Contract,
    base: usize,
    memory: Vec<u8>,
    rest: &'d [u8],
}

impl<'w, 'd> Layout<'w, 'd> {
    /// A value of type `ty` that begins at `base`.
    fn of(contract: &'w Contract, base: usize, ty: Type, choices: &'d [u8]) -> Vec<u8> {
        let mut layout = Self { contract, base, memory: Vec::new(), rest: choices };
        let at = layout.room(contract.sizes.size(&ty).size_wasm32(), 8);
        layout.value(&ty, at);
        layout.memory
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    fn room(&mut self, bytes: usize, align: usize) -> usize {
        let at = self.memory.len().next_multiple_of(align);
        self.memory.resize(at + bytes, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn pointer(&mut self, at: usize, to: usize, length: usize) {
        let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        self.put(at, &word(self.base + to));
        self.put(at + 4, &word(length));
    }

    fn value(&mut self, ty: &Type, at: usize) {
        match ty {
            Type::Id(id) => self.named(*id, at),
            Type::String => self.text(at),
            other => {
                for offset in 0..self.contract.sizes.size(other).size_wasm32() {
                    let byte = self.byte();
                    // A truth or letter that is none would only be refused.
                    self.memory[at + offset] = if matches!(other, Type::Bool) { byte & 1 } else { byte };
                    if matches!(other, Type::Char) {
                        break;
                    }
                }
            }
        }
    }

    fn text(&mut self, at: usize) {
        const TEXTS: [&str; 8] =
            ["", "{}", "null", "{\"a\":[1,2.5,-0]}", "code", "merge", "work", "\u{202e}x\n"];
        let choice = self.byte();
        let text = match TEXTS.get(usize::from(choice)) {
            Some(text) => text.as_bytes().to_vec(),
            None => {
                let length = usize::from(choice) % (self.rest.len() + 1);
                let (text, rest) = self.rest.split_at(length);
                self.rest = rest;
                text.to_vec()
            }
        };
        let to = self.room(text.len(), 1);
        self.put(to, &text);
        self.pointer(at, to, text.len());
    }

    fn list(&mut self, element: &Type, at: usize) {
        let count = usize::from(self.byte() % (LIST_MAX + 1));
        let (size, align) = (self.contract.sizes.size(element), self.contract.sizes.align(element));
        let size = size.size_wasm32();
        if self.memory.len() + count * size > LAID_OUT_MAX {
            return;
        }
        let to = self.room(count * size, align.align_wasm32());
        for number in 0..count {
            self.value(element, to + number * size);
        }
        self.pointer(at, to, count);
    }

    /// One of the cases of a variant, whose payload stands after its number.
    fn case(&mut self, cases: &[Option<Type>], at: usize) {
        let choice = usize::from(self.byte()) % cases.len();
        self.memory[at] = u8::try_from(choice).unwrap_or_default();
        let tag = wit_parser::Int::U8;
        let offset = self.contract.sizes.payload_offset(tag, cases.iter().map(Option::as_ref)).size_wasm32();
        if let Some(payload) = cases[choice] {
            self.value(&payload, at + offset);
        }
    }

    fn fields(&mut self, types: &[Type], at: usize) {
        let contract = self.contract;
        for (offset, ty) in contract.sizes.field_offsets(types) {
            self.value(ty, at + offset.size_wasm32());
        }
    }

    fn named(&mut self, id: TypeId, at: usize) {
        match self.contract.resolve.types[id].kind.clone() {
            TypeDefKind::Record(record) => {
                let types: Vec<Type> = record.fields.iter().map(|field| field.ty).collect();
                self.fields(&types, at);
            }
            TypeDefKind::Tuple(tuple) => self.fields(&tuple.types, at),
            TypeDefKind::Variant(variant) => {
                let cases: Vec<Option<Type>> = variant.cases.iter().map(|case| case.ty).collect();
                self.case(&cases, at);
            }
            TypeDefKind::Enum(names) => self.case(&vec![None; names.cases.len()], at),
            TypeDefKind::Option(some) => self.case(&[None, Some(some)], at),
            TypeDefKind::Result(result) => self.case(&[result.ok, result.err], at),
            TypeDefKind::List(element) => self.list(&element, at),
            TypeDefKind::Type(alias) => self.value(&alias, at),
            other => panic!("the contract has a {} now: lay it out", other.as_str()),
        }
    }
}
