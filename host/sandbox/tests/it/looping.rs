//! A step component whose start function does not end: made of the probe, for no compiler makes one.

use crate::support::{empty_sandbox, probe};
use expect_test::expect;
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::Limits;

/// Magic number and version.
const HEADER: usize = 8;

/// Sections of a core module.
mod section {
    pub(super) const TYPES: u8 = 1;
    pub(super) const IMPORTS: u8 = 2;
    pub(super) const FUNCTIONS: u8 = 3;
    pub(super) const EXPORTS: u8 = 7;
    pub(super) const START: u8 = 8;
    pub(super) const CODE: u8 = 10;
}

/// The section of a component that is a core module.
const CORE_MODULE: u8 = 1;

/// `func()`, and a body without locals: `loop br 0 end end`.
const TYPE: [u8; 3] = [0x60, 0, 0];
const LOOP: [u8; 8] = [7, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b];

type Section = (u8, Vec<u8>);

fn read_number(bytes: &mut &[u8]) -> usize {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn sections(bytes: &[u8]) -> Vec<Section> {
    let mut rest = &bytes[HEADER..];
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let size = read_number(&mut rest);
        let (content, after) = rest.split_at(size);
        sections.push((*id, content.to_vec()));
        rest = after;
    }
    sections
}

fn joined(header: &[u8], sections: &[Section]) -> Vec<u8> {
    let mut bytes = header[..HEADER].to_vec();
    for (id, content) in sections {
        bytes.push(*id);
        bytes.extend(number(content.len()));
        bytes.extend(content);
    }
    bytes
}

fn of(sections: &mut [Section], id: u8) -> &mut Vec<u8> {
    sections.iter_mut().find(|(of, _)| *of == id).map(|(_, content)| content).unwrap()
}

fn count(sections: &mut [Section], id: u8) -> usize {
    read_number(&mut &of(sections, id)[..])
}

fn append(sections: &mut [Section], id: u8, entry: &[u8]) {
    let content = of(sections, id);
    let mut rest = &content[..];
    let count = read_number(&mut rest);
    let mut longer = number(count + 1);
    longer.extend(rest);
    longer.extend(entry);
    *content = longer;
}

/// The module with a start function that loops.
fn starting(module: &[u8]) -> Vec<u8> {
    let mut sections = sections(module);
    let new_type = count(&mut sections, section::TYPES);
    // All that a step imports are functions.
    let start = count(&mut sections, section::IMPORTS) + count(&mut sections, section::FUNCTIONS);
    append(&mut sections, section::TYPES, &TYPE);
    append(&mut sections, section::FUNCTIONS, &number(new_type));
    append(&mut sections, section::CODE, &LOOP);
    let exports = sections.iter().position(|(id, _)| *id == section::EXPORTS).unwrap();
    sections.insert(exports + 1, (section::START, number(start)));
    joined(module, &sections)
}

fn loops_at_its_start() -> Vec<u8> {
    let component = probe();
    let mut sections = sections(&component);
    let modules = sections.iter_mut().filter(|(id, _)| *id == CORE_MODULE);
    let (_, main) = modules.max_by_key(|(_, module)| module.len()).unwrap();
    *main = starting(main);
    joined(&component, &sections)
}

#[tokio::test]
async fn a_start_function_that_loops_is_refused_when_its_fuel_is_used_up() {
    let limits = Limits { fuel: 10_000_000, ..Limits::default() };
    let error = empty_sandbox(limits).inspect(&loops_at_its_start()).await.unwrap_err().to_string();
    expect!["the component's descriptor is unusable: out-of-fuel: it used up its 10000000 units of fuel: does it loop?"].assert_eq(&error);
}
