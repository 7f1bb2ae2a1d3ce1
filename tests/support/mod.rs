//! What tests share: fakes of the host seams.
//! It is separate because they implement the public traits and so stay out of the shipped binary.

pub(crate) mod fake;
