//! Encoded connections, each form encoded once for all streams that send it soon after it was published, and once per
//! field mask that several of them share; what one stream alone wants is not kept. In: connections of the published
//! table. Out: their bytes. What was asked for longest ago gives way; it is encoded again when somebody wants it after
//! all.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use prost::Message as _;

use super::{convert, mask::Mask};
use crate::model::Listed;

/// Forms that are kept: revisions are numbered in a row, so the newest ones all have a place of their own. Some 450
/// bytes each where all fields are wanted.
const PLACES: usize = 16_384;
/// Field masks whose forms are kept, 8 MiB of them at most for each; those of others are made for each stream.
const MAX_MASKS: usize = 4;

/// The newest encoded forms, with all fields or those of one mask.
#[derive(Debug)]
pub(super) struct Forms {
    /// `None` where all fields are wanted.
    masked: Option<Masked>,
    /// None where none are ever kept.
    places: Box<[Mutex<Place>]>,
}

/// What forms are a part of.
#[derive(Debug)]
struct Masked {
    mask: Mask,
    whole: Arc<Forms>,
}

/// The form with the newest revision of those that share the place.
#[derive(Debug, Default)]
struct Place {
    /// 0 while it is empty.
    revision: u64,
    form: Bytes,
}

impl Forms {
    fn new(masked: Option<Masked>, places: usize) -> Self {
        Self {
            masked,
            places: (0..places).map(|_| Mutex::default()).collect(),
        }
    }

    /// The connection as the contract has it, with the fields that are wanted.
    pub(super) fn encoded(self: &Arc<Self>, connection: &dyn Listed) -> Bytes {
        let places = self.places.len() as u64;
        let place = connection.revision().checked_rem(places);
        let Some(place) = place.and_then(|place| self.places.get(place as usize)) else {
            return self.encode(connection);
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.revision == connection.revision() {
            return place.form.clone();
        }
        let form = self.encode(connection);
        // An old form, as snapshots have them, does not push out a new one.
        if place.revision < connection.revision() {
            *place = if self.are_shared() {
                Place {
                    revision: connection.revision(),
                    form: form.clone(),
                }
            } else {
                Place::default()
            };
        }
        form
    }

    /// Whether more than one want them: streams, or forms that are a part of these.
    fn are_shared(self: &Arc<Self>) -> bool {
        // Those with all fields stay where no stream wants them.
        let lasting = usize::from(self.masked.is_none());
        Arc::strong_count(self) > lasting + 1
    }

    fn encode(&self, connection: &dyn Listed) -> Bytes {
        match &self.masked {
            None => convert::one_of_many(&connection.connection())
                .encode_to_vec()
                .into(),
            Some(Masked { mask, whole }) => mask.keep(&whole.encoded(connection)),
        }
    }
}

/// The forms that streams share.
#[derive(Debug)]
pub(super) struct SharedForms {
    whole: Arc<Forms>,
    masked: Mutex<Vec<Weak<Forms>>>,
}

impl SharedForms {
    /// Nothing is encoded yet.
    pub(super) fn new() -> Self {
        Self {
            whole: Arc::new(Forms::new(None, PLACES)),
            masked: Mutex::default(),
        }
    }

    /// The forms with these fields; without a mask, with all.
    pub(super) fn of(&self, mask: Option<Mask>) -> Arc<Forms> {
        let Some(mask) = mask else {
            return Arc::clone(&self.whole);
        };
        let mut kept = self.masked.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|forms| forms.strong_count() > 0);
        let has_mask = |forms: &Arc<Forms>| forms.masked.as_ref().is_some_and(|masked| masked.mask == mask);
        if let Some(forms) = kept.iter().filter_map(Weak::upgrade).find(has_mask) {
            return forms;
        }
        let places = if kept.len() < MAX_MASKS { PLACES } else { 0 };
        let whole = Arc::clone(&self.whole);
        let forms = Arc::new(Forms::new(Some(Masked { mask, whole }), places));
        if places > 0 {
            kept.push(Arc::downgrade(&forms));
        }
        forms
    }
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;
    use crate::model::{Connection, sample};

    /// Whether both are the same memory.
    fn is_kept(first: &Bytes, second: &Bytes) -> bool {
        assert_eq!(first, second);
        first.as_ptr() == second.as_ptr()
    }

    #[test]
    fn what_one_stream_alone_wants_is_not_kept_for_others() {
        let of_revision = |revision| Connection {
            revision,
            ..sample::connection()
        };
        let (before, after) = (of_revision(1), of_revision(1 + PLACES as u64));
        let shared = SharedForms::new();
        for path in [None, Some("state")] {
            let forms = || shared.of(path.and_then(mask));
            let one = forms();
            assert!(!is_kept(&one.encoded(&before), &one.encoded(&before)));

            let other = forms();
            assert!(is_kept(&one.encoded(&before), &other.encoded(&before)));

            drop(other);
            assert!(!is_kept(&one.encoded(&after), &one.encoded(&after)));
            assert!(one.places[1].lock().unwrap().form.is_empty());
        }
    }

    fn mask(path: &str) -> Option<Mask> {
        let paths = vec![path.to_owned()];
        Mask::of(Some(&FieldMask { paths })).unwrap()
    }

    #[test]
    fn streams_with_equal_masks_share_their_forms_while_there_are_few_masks() {
        let shared = SharedForms::new();

        let one = shared.of(mask("state"));
        assert!(Arc::ptr_eq(&one, &shared.of(mask("state"))));
        assert!(Arc::ptr_eq(&shared.of(None), &shared.of(None)));

        let paths = [
            "source",
            "sent",
            "received",
            "rtt",
            "handshake",
            "interface",
            "ecn",
            "verdict",
        ];
        let others: Vec<_> = paths.iter().map(|path| shared.of(mask(path))).collect();
        let kept = others.iter().filter(|forms| !forms.places.is_empty()).count();
        assert_eq!(kept, MAX_MASKS - 1, "one more was there before");
        assert_eq!(shared.masked.lock().unwrap().len(), MAX_MASKS);

        drop((one, others));
        assert!(
            !shared.of(mask("verdict")).places.is_empty(),
            "nobody wants the others"
        );
    }
}
