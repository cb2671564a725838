//! What is done less of, as the status tells it: what it is, why, and what that costs whoever looks.

use std::time::Duration;

use super::{
    Steps, Usage,
    steps::{CPU, MEMORY},
};
use crate::model::{Budgets, Degradation};

const MIB: f64 = (1_u64 << 20) as f64;

/// What is done less of, where connections are reported once per `update_interval` else.
pub fn degradations(
    steps: Steps,
    usage: &Usage,
    budgets: &Budgets,
    update_interval: Duration,
) -> Vec<Degradation> {
    let economy = steps.economy();
    let cpu = || {
        format!(
            "CPU time is kept within --max-cpu {}: step {} of {}, now at {:.1} % of one core",
            budgets.cpu_percent.unwrap_or_default(),
            steps.cpu.place,
            CPU.len() - 1,
            usage.cpu_percent.unwrap_or_default()
        )
    };
    let memory = || {
        format!(
            "memory is kept within --max-memory {:.0}MiB: step {} of {}, now at {:.0} MiB",
            budgets.memory_bytes.unwrap_or_default() as f64 / MIB,
            steps.memory.place,
            MEMORY.len() - 1,
            usage.memory_bytes as f64 / MIB
        )
    };
    let mut told = Vec::new();
    let mut tell = |feature: &str, reason: String, effect: String| {
        told.push(Degradation {
            feature: feature.into(),
            reason,
            effect,
        });
    };
    if economy.stretch > 1 {
        let interval = humantime::format_duration(economy.interval(update_interval));
        let effect = format!(
            "a connection that changes is reported, and streams are sent, once per {interval}; sockets are looked at {} \
             times as rarely; counters stay exact",
            economy.stretch
        );
        tell("budget: intervals", cpu(), effect);
    }
    if economy.packet_sampling > 1 {
        let effect = format!(
            "of {} watched packets one is shown or captured; counters stay exact",
            economy.packet_sampling
        );
        tell("budget: packets", cpu(), effect);
    }
    if economy.history_percent < 100 {
        let effect = format!(
            "the past of connections has {} % of its points and packets",
            economy.history_percent
        );
        tell("budget: history", memory(), effect);
    }
    if economy.keep_closed_percent < 100 {
        let effect = format!(
            "ended connections stay listed for {} % of their time; those that left early are counted as dropped",
            economy.keep_closed_percent
        );
        tell("budget: ended connections", memory(), effect);
    }
    if !economy.takes_new {
        let effect = "connections that are not followed yet are not listed, and their packets counted as over budget; \
                      counters of the others stay exact";
        tell("budget: new connections", memory(), effect.into());
    }
    told
}
