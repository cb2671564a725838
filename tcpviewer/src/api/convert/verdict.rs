//! A verdict in the words of the contract.

use crate::{
    model::{Cause, End, Evidence, Failure, Verdict, VerdictKind},
    proto,
    verdict::{evidence_name, evidence_text, evidence_value, text},
};

/// A verdict, with what the kernel said of a failure in its text.
pub(super) fn verdict(verdict: &Verdict, failure: Option<&Failure>) -> proto::Verdict {
    proto::Verdict {
        text: text(verdict, failure),
        evidence: verdict.evidence.iter().map(evidence).collect(),
        ..without_words(verdict)
    }
}

/// A verdict, with its words and numbers only where something is or went wrong.
pub(super) fn in_brief(verdict: &Verdict, failure: Option<&Failure>) -> proto::Verdict {
    if verdict.cause.is_some() || failure.is_some() {
        self::verdict(verdict, failure)
    } else {
        without_words(verdict)
    }
}

fn without_words(verdict: &Verdict) -> proto::Verdict {
    proto::Verdict {
        kind: kind(verdict.kind).into(),
        cause: verdict
            .cause
            .map_or(proto::VerdictCause::Unspecified, cause)
            .into(),
        end: verdict.end.map_or(proto::End::Unspecified, end).into(),
        since: Some(verdict.since.into()),
        text: String::new(),
        evidence: Vec::new(),
    }
}

fn kind(kind: VerdictKind) -> proto::VerdictKind {
    match kind {
        VerdictKind::Healthy => proto::VerdictKind::Healthy,
        VerdictKind::Idle => proto::VerdictKind::Idle,
        VerdictKind::Network => proto::VerdictKind::Network,
        VerdictKind::Peer => proto::VerdictKind::Peer,
        VerdictKind::Application => proto::VerdictKind::Application,
        VerdictKind::Handshake => proto::VerdictKind::Handshake,
        VerdictKind::Backlog => proto::VerdictKind::Backlog,
    }
}

fn cause(cause: Cause) -> proto::VerdictCause {
    match cause {
        Cause::Loss => proto::VerdictCause::Loss,
        Cause::RoundTrip => proto::VerdictCause::RoundTrip,
        Cause::NotReading => proto::VerdictCause::NotReading,
        Cause::SmallWindow => proto::VerdictCause::SmallWindow,
        Cause::NotSending => proto::VerdictCause::NotSending,
        Cause::SendBuffer => proto::VerdictCause::SendBuffer,
        Cause::NotClosing => proto::VerdictCause::NotClosing,
        Cause::NoAnswer => proto::VerdictCause::NoAnswer,
        Cause::Refused => proto::VerdictCause::Refused,
        Cause::QueueFull => proto::VerdictCause::QueueFull,
        Cause::NotAccepted => proto::VerdictCause::NotAccepted,
    }
}

/// An end.
pub(super) fn end(end: End) -> proto::End {
    match end {
        End::Source => proto::End::Source,
        End::Destination => proto::End::Destination,
    }
}

fn evidence(evidence: Evidence) -> proto::Evidence {
    proto::Evidence {
        name: evidence_name(evidence.measure).to_owned(),
        value: evidence_value(evidence),
        text: evidence_text(evidence),
    }
}
