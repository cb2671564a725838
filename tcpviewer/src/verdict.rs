//! Why each connection is as it is: a function of what its row holds now and of how that changed in the last seconds.
//! In: a connection in its newest form and the time. Out: a verdict, which stays for a moment once a cause was found,
//! so that it does not flap. What is not wrong is said as well; what cannot be told has no verdict.

mod recent;

mod causes;

mod words;

use std::time::{Duration, SystemTime};

pub use self::words::{evidence_name, evidence_text, evidence_value, text};
use self::{
    causes::{Finding, find, find_at_end, has_packets, idle_at},
    recent::Recent,
};
use crate::model::{Backlog, Connection, End, Verdict, VerdictKind};

/// A connection that is not idle is judged at most once in this time.
const JUDGED_EVERY: Duration = Duration::from_secs(1);
/// A cause that was found stays for this time after it was seen last.
const HOLD: Duration = Duration::from_secs(3);
/// After so much silence, time alone changes nothing any more.
const LONGEST_WAIT: Duration = Duration::from_secs(310);

/// What a verdict is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The connection; its own verdict is not looked at.
    pub connection: &'a Connection,
    /// The newest payload that was not sent before; `None` until there was some.
    pub payload: Option<Payload>,
    /// The state of the listening socket that the connection is to, where that is full or dropped something lately.
    pub backlog: Option<Backlog>,
}

/// When payload passed last, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// When.
    pub at: SystemTime,
    /// Who.
    pub from: End,
}

/// What is known of one connection's verdict: that, and what is needed for the next one.
#[derive(Debug, Default)]
pub struct Judgement {
    verdict: Option<Verdict>,
    /// When the cause was seen last.
    seen: Option<SystemTime>,
    judged: Option<SystemTime>,
    /// Nothing where the connection is idle.
    recent: Option<Box<Recent>>,
    /// Until when time alone changes nothing, where that is known.
    holds_until: Option<SystemTime>,
    is_settled: bool,
    is_over: bool,
}

impl Judgement {
    /// A judgement that [is done](Self::is_done), of which all but the verdict was given up.
    pub fn done(verdict: Option<Verdict>, has_ended: bool) -> Self {
        Self {
            verdict,
            is_settled: true,
            is_over: has_ended,
            ..Self::default()
        }
    }

    /// The verdict; `None` until enough was seen.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Whether time alone does not change the verdict.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether nothing but the verdict is worth keeping until something passes.
    pub fn is_done(&self) -> bool {
        self.is_settled && self.recent.is_none()
    }

    /// Whether it would say the same now, if nothing but time has passed.
    pub fn holds(&self, now: SystemTime) -> bool {
        self.is_early(now) || self.holds_until.is_some_and(|until| now < until)
    }

    /// Judges anew, unless that was done a moment ago. Returns whether the verdict is another one.
    pub fn update(&mut self, facts: &Facts<'_>, now: SystemTime) -> bool {
        let has_ended = facts.connection.closed.is_some();
        if self.is_over || self.is_early(now) && !has_ended {
            return false;
        }
        self.judged = Some(now);
        if has_ended {
            self.is_over = true;
            self.is_settled = true;
            self.recent = None;
            return self.end(facts, now);
        }
        // Of one that is older than the daemon, nothing passed that could be compared.
        let mut of_socket_alone = None;
        let recent = if has_packets(facts.connection) {
            &mut self.recent
        } else {
            &mut of_socket_alone
        };
        let recent = recent.get_or_insert_with(|| Box::new(Recent::new(facts.connection, now)));
        let lately = recent.advance(facts, now);
        let finding = find(facts, lately, now);
        let changed = self.take(finding, now);
        let is_as_found = self
            .verdict
            .zip(finding)
            .is_some_and(|(verdict, finding)| finding.is(&verdict));
        let is_idle = is_as_found
            && self
                .verdict
                .is_some_and(|verdict| verdict.kind == VerdictKind::Idle);
        let waited = now.duration_since(facts.connection.last_seen).unwrap_or_default();
        self.is_settled = is_idle || is_as_found && waited > LONGEST_WAIT;
        self.holds_until =
            idle_at(facts).filter(|_idle| self.verdict.is_none_or(|verdict| verdict.cause.is_none()));
        if is_idle {
            self.recent = None;
        }
        changed
    }

    /// Whether it was judged a moment ago.
    fn is_early(&self, now: SystemTime) -> bool {
        self.judged.is_some_and(|judged| now < judged + JUDGED_EVERY)
    }

    /// What is found at the end counts at once; else the last verdict stays.
    fn end(&mut self, facts: &Facts<'_>, now: SystemTime) -> bool {
        let found = find_at_end(facts, self.verdict.is_none());
        found.is_some_and(|finding| self.replace(finding, now))
    }

    fn take(&mut self, finding: Option<Finding>, now: SystemTime) -> bool {
        let Some(finding) = finding else {
            return false;
        };
        match &mut self.verdict {
            Some(verdict) if finding.is(verdict) => {
                verdict.evidence = finding.evidence;
                self.seen = Some(now);
                false
            }
            // A handshake is not taken back.
            Some(verdict)
                if verdict.cause.is_some()
                    && verdict.kind != VerdictKind::Handshake
                    && self.seen.is_some_and(|seen| now < seen + HOLD) =>
            {
                false
            }
            Some(_) | None => self.replace(finding, now),
        }
    }

    fn replace(&mut self, finding: Finding, now: SystemTime) -> bool {
        let before = self.verdict.replace(finding.since(now));
        self.seen = Some(now);
        !before.is_some_and(|before| finding.is(&before))
    }
}

#[cfg(test)]
mod tests;
