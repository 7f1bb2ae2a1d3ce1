//! What is quoted of a daemon's log.
//! Separate because a real daemon fails in too few ways.

use super::last_lines;

#[test]
fn what_is_wrong_is_quoted_before_what_is_usual() {
    let wrong = "time=1 level=error msg=\"no space left on device\"";
    let usual = "time=2 level=info msg=\"stop\"\n".repeat(9);
    assert_eq!(
        last_lines(&format!("{wrong}\n\npanic: x\n{usual}")),
        format!("{wrong} | panic: x")
    );
    // Where nothing is wrong, what it did last tells more than nothing.
    assert_eq!(last_lines(&usual).matches("stop").count(), 5);
}
