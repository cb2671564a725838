//! The look at all sockets of this host, again and again, and one network namespace after the other.

use super::{
    places::Places,
    source::LookError,
    sweep::{Found, Sweep},
    ways::Ways,
};
use crate::model::{Clock, InterfaceNames};

/// Looks at all sockets.
#[derive(Default)]
pub(super) struct Around {
    own: Sweep,
    /// Whether a look is under way.
    is_under_way: bool,
}

impl Around {
    /// Goes on with the look that is under way, or begins one.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer; the next call begins anew.
    pub(super) fn step(
        &mut self,
        ways: &Ways,
        names: &InterfaceNames,
        clock: Clock,
    ) -> Result<Found, LookError> {
        let stepped = if self.is_under_way {
            self.own.step(clock)
        } else {
            self.begin(ways, names)
        };
        self.is_under_way = stepped.as_ref().is_ok_and(|found| !found.is_over);
        stepped
    }

    fn begin(&mut self, ways: &Ways, names: &InterfaceNames) -> Result<Found, LookError> {
        let mut source = ways.own()?;
        let places = Places::read(&mut source, names)?;
        self.own.begin(source, places)
    }
}
