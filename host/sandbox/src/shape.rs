//! How long a component takes to compile, bounded before it is compiled. Time itself cannot be bounded: a compilation cannot
//! be stopped, and a limit in seconds would refuse on one machine what another accepts. So what makes compilers slow
//! is counted, in one pass over the bytes.

use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// Functions. A Python guest, the largest of the known toolchains, has 13,400.
const FUNCTIONS_MAX: u64 = 60_000;

/// Types, imports, exports, globals and the like, in modules and components. A Python guest has 10,100.
const ITEMS_MAX: u64 = 200_000;

/// Modules and components within it. A Python guest has 15.
const PARTS_MAX: u64 = 1000;

/// Bytes of a function; the time for one that computes straight on grows faster than they do. The interpreter's loop of
/// Python has 427,000.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Blocks within each other in a function. A Python guest has 781.
const DEPTH_MAX: u64 = 5000;

/// Blocks, loops and branches of a function. A Python guest has 3,100.
const BLOCKS_MAX: u64 = 20_000;

/// Blocks that an operation on many bytes or elements becomes: it is a loop that counts its fuel.
const BULK_BLOCKS: u64 = 4;

/// Cases of all jump tables of a function. A Python guest has 15,800.
const CASES_MAX: u64 = 60_000;

/// Blocks of a function times its locals: for each of them the compiler may have to find out where a value comes from. A Python
/// guest has 67,000.
const MERGES_MAX: u64 = 1_000_000;

/// Blocks of all functions together. A Python guest has 132,000.
const ALL_BLOCKS_MAX: u64 = 1_000_000;

/// Locals times blocks of all functions together. A Python guest has 1,560,000.
const ALL_MERGES_MAX: u64 = 20_000_000;

/// What was counted of the whole component.
#[derive(Default)]
struct Whole {
    functions: u64,
    items: u64,
    parts: u64,
    blocks: u64,
    merges: u64,
}

/// Why a component is not compiled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its bytes cannot be read.
    Unreadable(String),
    /// It has more of something than is compiled.
    TooComplex(String),
}

/// Checks that `bytes` do not take unreasonably long to compile. Whether they are valid is the compiler's to say.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Unfit> {
    let mut whole = Whole::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let items = match payload? {
            Payload::CodeSectionEntry(body) => {
                look_at(&body, &mut whole)?;
                0
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                whole.parts += 1;
                0
            }
            Payload::TypeSection(reader) => reader.count(),
            Payload::ImportSection(reader) => reader.count(),
            Payload::ExportSection(reader) => reader.count(),
            Payload::GlobalSection(reader) => reader.count(),
            Payload::InstanceSection(reader) => reader.count(),
            Payload::CoreTypeSection(reader) => reader.count(),
            Payload::ComponentTypeSection(reader) => reader.count(),
            Payload::ComponentInstanceSection(reader) => reader.count(),
            Payload::ComponentAliasSection(reader) => reader.count(),
            Payload::ComponentCanonicalSection(reader) => reader.count(),
            Payload::ComponentImportSection(reader) => reader.count(),
            Payload::ComponentExportSection(reader) => reader.count(),
            _ => 0,
        };
        whole.items += u64::from(items);
        at_most("it has", whole.items, "types, imports, exports and globals", ITEMS_MAX)?;
        at_most("it has", whole.parts, "modules and components within it", PARTS_MAX)?;
    }
    Ok(())
}

fn look_at(body: &FunctionBody<'_>, whole: &mut Whole) -> Result<(), Unfit> {
    whole.functions += 1;
    at_most("it has", whole.functions, "functions", FUNCTIONS_MAX)?;
    let range = body.range();
    let of = "one of its functions has";
    at_most(of, (range.end - range.start) as u64, "bytes", BODY_BYTES_MAX)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        locals += u64::from(group?.0);
    }
    let (mut depth, mut blocks, mut cases) = (0_u64, 0_u64, 0_u64);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read()? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                depth += 1;
                blocks += 1;
                at_most(of, depth, "blocks within each other", DEPTH_MAX)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. }
            | Operator::TableCopy { .. }
            | Operator::TableFill { .. }
            | Operator::TableInit { .. } => blocks += BULK_BLOCKS,
            Operator::BrTable { targets } => cases += u64::from(targets.len()) + 1,
            _ => {}
        }
    }
    at_most(of, blocks, "blocks and branches", BLOCKS_MAX)?;
    whole.blocks += blocks;
    at_most("all its functions together have", whole.blocks, "blocks and branches", ALL_BLOCKS_MAX)?;
    at_most(of, cases, "cases in its jump tables", CASES_MAX)?;
    let merges = locals * (blocks + 1);
    whole.merges += merges;
    at_most(of, merges, "locals times blocks", MERGES_MAX)?;
    at_most("all its functions together have", whole.merges, "locals times blocks", ALL_MERGES_MAX)
}

fn at_most(whose: &str, found: u64, what: &str, most: u64) -> Result<(), Unfit> {
    if found > most {
        return Err(Unfit::TooComplex(format!("{whose} {found} {what}, more than the {most} allowed")));
    }
    Ok(())
}

impl From<wasmparser::BinaryReaderError> for Unfit {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BLOCKS_MAX, BODY_BYTES_MAX, BULK_BLOCKS, CASES_MAX, DEPTH_MAX, FUNCTIONS_MAX, ITEMS_MAX, MERGES_MAX,
        PARTS_MAX, Unfit, check,
    };
    use expect_test::expect;

    fn module(content: &str) -> String {
        format!("(core module {content})")
    }

    fn function(head: &str, body: &str) -> String {
        module(&format!("(func (param i32) {head} {body})"))
    }

    fn times(text: &str, count: u64) -> String {
        text.repeat(usize::try_from(count).unwrap())
    }

    fn nested(begin: &str, count: u64) -> String {
        function("", &(times(begin, count) + &times("end ", count)))
    }

    fn copies(count: u64) -> String {
        let copy = "local.get 0 local.get 0 local.get 0 memory.copy ";
        module(&format!("(memory 1) (func (param i32) {})", times(copy, count)))
    }

    fn jump(cases: u64) -> String {
        function("", &format!("block local.get 0 br_table {} end", times("0 ", cases)))
    }

    /// `count` locals, with as many ifs that each change one of them.
    fn merging(count: u64) -> String {
        let ifs: String =
            (1..=count).map(|local| format!("local.get 0 if local.get 0 local.set {local} end ")).collect();
        function(&format!("(local {})", times("i32 ", count)), &ifs)
    }

    fn component(content: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {content})")).unwrap()
    }

    /// Shapes as large as they may be, or by `more` larger.
    fn shapes(more: u64) -> Vec<(&'static str, String)> {
        let side = MERGES_MAX.isqrt() - 1;
        vec![
            ("functions", module(&times("(func)", FUNCTIONS_MAX + more))),
            ("types", module(&times("(type (func (param i32)))", ITEMS_MAX + more))),
            ("parts", times("(core module)", PARTS_MAX + more)),
            ("bytes", function("", &times("local.get 0 drop ", BODY_BYTES_MAX / 3 - 2 + 9 * more))),
            ("depth", nested("block ", DEPTH_MAX + more)),
            ("blocks", function("", &times("local.get 0 if end ", BLOCKS_MAX + more))),
            ("copies", copies(BLOCKS_MAX / BULK_BLOCKS + more)),
            ("cases", jump(CASES_MAX + more)),
            ("merges", merging(side + 2 * more)),
        ]
    }

    #[test]
    fn what_is_slow_to_compile_is_named() {
        let said = shapes(1).into_iter().map(|(name, text)| match check(&component(&text)) {
            Err(Unfit::TooComplex(reason)) => format!("{name}: {reason}\n"),
            other => panic!("{name}: {other:?}"),
        });
        expect![[r#"
            functions: it has 60001 functions, more than the 60000 allowed
            types: it has 200001 types, imports, exports and globals, more than the 200000 allowed
            parts: it has 1001 modules and components within it, more than the 1000 allowed
            bytes: one of its functions has 1048598 bytes, more than the 1048576 allowed
            depth: one of its functions has 5001 blocks within each other, more than the 5000 allowed
            blocks: one of its functions has 20001 blocks and branches, more than the 20000 allowed
            copies: one of its functions has 20004 blocks and branches, more than the 20000 allowed
            cases: one of its functions has 60001 cases in its jump tables, more than the 60000 allowed
            merges: one of its functions has 1003002 locals times blocks, more than the 1000000 allowed
        "#]]
        .assert_eq(&said.collect::<String>());
    }

    #[test]
    fn what_is_just_not_too_much_is_accepted() {
        for (name, text) in shapes(0) {
            assert_eq!(check(&component(&text)), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_so() {
        let torn = &component(&module("(func)"))[..20];
        assert!(matches!(check(torn), Err(Unfit::Unreadable(_))));
    }
}
