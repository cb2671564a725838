//! The two ladders: what each step means, and when it is left. What is missing from a connection's story costs less than
//! what is missing from the list, so intervals go first and new connections last.

/// A step for CPU time.
pub(super) struct CpuStep {
    /// Intervals are so many times as long.
    pub(super) stretch: u32,
    /// Of so many watched packets one leaves the kernel.
    pub(super) packet_sampling: u32,
    /// It is left below this share of the budget: the step before may cost so many times as much as its intervals are
    /// shorter or its packets more, and that must fit with a fifth to spare.
    pub(super) back_below: f64,
}

/// A step for memory.
pub(super) struct MemoryStep {
    /// It is taken at this share of the budget.
    pub(super) from: f64,
    /// It is left below this share.
    pub(super) back_below: f64,
    /// What the past of connections may take, per cent of what it may else.
    pub(super) history_percent: u32,
    /// How long ended connections stay listed, per cent of what they do else.
    pub(super) keep_closed_percent: u32,
    /// Whether new connections are followed.
    pub(super) takes_new: bool,
}

const fn cpu(stretch: u32, packet_sampling: u32, back_below: f64) -> CpuStep {
    CpuStep {
        stretch,
        packet_sampling,
        back_below,
    }
}

/// For CPU time.
pub(super) const CPU: [CpuStep; 8] = [
    cpu(1, 1, 0.0),
    cpu(2, 1, 0.4),
    cpu(4, 1, 0.4),
    cpu(8, 1, 0.4),
    cpu(8, 4, 0.2),
    cpu(8, 16, 0.2),
    cpu(16, 64, 0.2),
    cpu(32, 256, 0.2),
];

/// For memory.
pub(super) const MEMORY: [MemoryStep; 4] = [
    MemoryStep {
        from: 0.0,
        back_below: 0.0,
        history_percent: 100,
        keep_closed_percent: 100,
        takes_new: true,
    },
    MemoryStep {
        from: 0.75,
        back_below: 0.65,
        history_percent: 25,
        keep_closed_percent: 25,
        takes_new: true,
    },
    MemoryStep {
        from: 0.85,
        back_below: 0.75,
        history_percent: 5,
        keep_closed_percent: 0,
        takes_new: true,
    },
    MemoryStep {
        from: 0.95,
        back_below: 0.85,
        history_percent: 5,
        keep_closed_percent: 0,
        takes_new: false,
    },
];
