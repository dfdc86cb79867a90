//! The standard output: what a person reads there, or a program that it is sent to.

use crate::failure::Failure;
use std::io::{self, IsTerminal, Write};

pub fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", text.trim_end())?;
    Ok(())
}

/// On a terminal in the place of what was there, elsewhere below it.
pub fn show_again(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout();
    // Home, and everything from there on erased.
    let begin = if output.is_terminal() { "\x1b[H\x1b[J" } else { "\n" };
    writeln!(output, "{begin}{}", text.trim_end())?;
    Ok(())
}
