//! Why each connection is as it is: a function of what its row holds now and of how that changed in the last seconds.
//! In: a connection in its newest form and the time. Out: a verdict, which stays for a moment once a cause was found,
//! so that it does not flap. What is not wrong is said as well; what cannot be told has no verdict.

mod recent;

mod stamp;

mod causes;

mod words;

use std::time::{Duration, SystemTime};

pub use self::words::{evidence_name, evidence_text, evidence_value, text};
use self::{
    causes::{Finding, find, find_at_end, has_packets, holds_until, may_find_more},
    recent::Recent,
    stamp::Stamp,
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

/// What is known of one connection's verdict.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub struct Judgement {
    /// The verdict; `None` until enough was seen.
    pub verdict: Option<Verdict>,
    /// What is needed for the next one.
    pub outlook: Outlook,
}

/// What is needed for the next verdict besides the last one. Kept for each connection that moved lately, so it is small.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub struct Outlook {
    /// When the cause was seen last.
    seen: Option<Stamp>,
    judged: Option<Stamp>,
    /// Nothing where the connection is idle for good.
    recent: Option<Recent>,
    /// Until when time alone changes nothing, where that is known.
    holds_until: Option<Stamp>,
    is_settled: bool,
    is_over: bool,
}

impl Judgement {
    /// A judgement that [is done](Outlook::is_done), of which all but the verdict was given up.
    pub fn done(verdict: Option<Verdict>, has_ended: bool) -> Self {
        Self {
            verdict,
            outlook: Outlook {
                is_settled: true,
                is_over: has_ended,
                ..Outlook::default()
            },
        }
    }

    /// Judges anew, unless that was done a moment ago. Returns whether the verdict is another one.
    pub fn update(&mut self, facts: &Facts<'_>, now: SystemTime) -> bool {
        let (outlook, stamp) = (&mut self.outlook, Stamp::of(now));
        let has_ended = facts.connection.closed.is_some();
        if outlook.is_over {
            return false;
        }
        if outlook.is_early(stamp) && !has_ended {
            // What was found before need not hold for long, unless it was found a moment ago of the same facts.
            if outlook.judged != Some(stamp) {
                outlook.holds_until = None;
                outlook.is_settled = false;
            }
            return false;
        }
        outlook.judged = Some(stamp);
        if has_ended {
            outlook.is_over = true;
            outlook.is_settled = true;
            outlook.recent = None;
            return self.end(facts, now);
        }
        // Of one that is older than the daemon, nothing passed that could be compared.
        let mut of_socket_alone = None;
        let recent = if has_packets(facts.connection) {
            &mut outlook.recent
        } else {
            &mut of_socket_alone
        };
        let lately = Recent::advance(recent, facts, now);
        let finding = find(facts, lately, now);
        let holds_until = holds_until(facts, lately, now);
        let is_idle = finding.is_some_and(|finding| finding.kind == VerdictKind::Idle);
        let is_idle_for_good = is_idle && !may_find_more(facts, lately, now);
        let changed = self.take(finding, now);
        let is_as_found = self
            .verdict
            .zip(finding)
            .is_some_and(|(verdict, finding)| finding.is(&verdict));
        let waited = now.duration_since(facts.connection.last_seen).unwrap_or_default();
        let outlook = &mut self.outlook;
        outlook.is_settled = is_as_found && (is_idle_for_good || waited > LONGEST_WAIT);
        // Time ends a cause, and changes its numbers.
        let is_fine = self.verdict.is_none_or(|verdict| verdict.cause.is_none());
        outlook.holds_until = holds_until.filter(|_until| is_fine).map(Stamp::of);
        if is_as_found && is_idle_for_good {
            outlook.recent = None;
        }
        changed
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
        let (seen, stamp) = (&mut self.outlook.seen, Stamp::of(now));
        match &mut self.verdict {
            Some(verdict) if finding.is(verdict) => {
                verdict.evidence = finding.evidence;
                *seen = Some(stamp);
                false
            }
            // A handshake is not taken back.
            Some(verdict)
                if verdict.cause.is_some()
                    && verdict.kind != VerdictKind::Handshake
                    && seen.is_some_and(|seen| seen.is_within(HOLD, stamp)) =>
            {
                false
            }
            Some(_) | None => self.replace(finding, now),
        }
    }

    fn replace(&mut self, finding: Finding, now: SystemTime) -> bool {
        let before = self.verdict.replace(finding.since(now));
        self.outlook.seen = Some(Stamp::of(now));
        !before.is_some_and(|before| finding.is(&before))
    }
}

impl Outlook {
    /// Whether time alone does not change the verdict.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether nothing but the verdict is worth keeping until something passes.
    pub fn is_done(&self) -> bool {
        self.is_settled && self.recent.is_none()
    }

    /// Whether the verdict would be the same now, if nothing but time has passed.
    pub fn holds(&self, now: SystemTime) -> bool {
        let now = Stamp::of(now);
        self.is_early(now) || self.holds_until.is_some_and(|until| now < until)
    }

    /// Whether it was judged a moment ago.
    fn is_early(&self, now: Stamp) -> bool {
        self.judged
            .is_some_and(|judged| judged.is_within(JUDGED_EVERY, now))
    }
}

#[cfg(test)]
mod tests;
