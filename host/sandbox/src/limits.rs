/// What one call of a component may use. Every field is part of the fingerprint: another limit can be another outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units of work, about one per WebAssembly instruction. The standard kinds use less than a million; this is some
    /// tenths of a second of a tight loop, so a runaway component is noticed before a person would notice the delay.
    pub fuel: u64,
    /// Bytes of all linear memories together. A Python guest needs some 30 MiB before it does anything.
    pub memory_bytes: usize,
    /// Linear memories. QuickJS guests have 3.
    pub memories: usize,
    /// Tables. One per core instance of a Python guest at most, most of them have none.
    pub tables: usize,
    /// Elements of all tables together. A Python guest has some ten thousand functions in its table.
    pub table_elements: usize,
    /// Core instances. Python guests have 38.
    pub core_instances: usize,
    /// Bytes of stack; deep enough for a recursive JSON parser at its usual depth limit of 128.
    pub stack_bytes: usize,
    /// Bytes of all texts of the input; it is copied into the component's memory, of which it should be a small part.
    pub input_bytes: usize,
    /// Bytes of all texts of the transition; everything in it ends up in the journal.
    pub output_bytes: usize,
    /// Bytes of the state; it is written and read again with every event of the step.
    pub state_bytes: usize,
    /// Calls of observation imports. A component that reads every changed file of a large change needs hundreds.
    pub host_calls: usize,
    /// Bytes of a path a component may ask for; longer ones exist on no system.
    pub path_bytes: usize,
    /// Bytes of all answers to a component together; they are recorded in the journal.
    pub answer_bytes: usize,
    /// Lines a component may log; they are kept with the invocation for people, who do not read more.
    pub log_lines: usize,
    /// Bytes of all log lines together.
    pub log_bytes: usize,
    /// Bytes of a component. Python guests have 18 MB, the largest of the known toolchains.
    pub component_bytes: usize,
}

impl Limits {
    /// The limits that authors and operators ask about, by name.
    pub(crate) fn named(&self) -> Vec<(&'static str, u64)> {
        [
            ("fuel", self.fuel),
            ("memory-bytes", self.memory_bytes as u64),
            ("stack-bytes", self.stack_bytes as u64),
            ("input-bytes", self.input_bytes as u64),
            ("output-bytes", self.output_bytes as u64),
            ("state-bytes", self.state_bytes as u64),
            ("host-calls", self.host_calls as u64),
            ("answer-bytes", self.answer_bytes as u64),
            ("log-bytes", self.log_bytes as u64),
            ("component-bytes", self.component_bytes as u64),
        ]
        .into()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 500_000_000,
            memory_bytes: 64 << 20,
            memories: 4,
            tables: 16,
            table_elements: 20_000,
            core_instances: 64,
            stack_bytes: 512 << 10,
            input_bytes: 8 << 20,
            output_bytes: 2 << 20,
            state_bytes: 1 << 20,
            host_calls: 512,
            path_bytes: 4096,
            answer_bytes: 8 << 20,
            log_lines: 256,
            log_bytes: 64 << 10,
            component_bytes: 64 << 20,
        }
    }
}
