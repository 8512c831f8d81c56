//! Questions on a terminal. Without one, what has no answer is gathered, so that one error names every flag that is missing.

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, IsTerminal};

/// Answers that are given, in the environment, typed, or missing.
pub(super) struct Ask<'a> {
    terminal: bool,
    /// Settings that the environment decides: they are neither asked for nor written.
    environment: &'a [String],
    missing: Vec<String>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(environment: &'a [String]) -> Self {
        Self { terminal: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(), environment, missing: Vec::new() }
    }

    /// Whether somebody can be asked.
    pub(super) const fn terminal(&self) -> bool {
        self.terminal
    }

    /// A flag that nothing stands for.
    pub(super) fn lacks(&mut self, flag: &str) {
        self.missing.push(flag.to_owned());
    }

    /// The value of a setting that has to be given: by its flag, or typed. None: the environment has it, or it is missing.
    pub(super) fn needed<T>(&mut self, question: &Question<'_, T>, given: Option<T>) -> Result<Option<T>> {
        if given.is_some() || self.environment.iter().any(|key| key == question.setting) {
            return Ok(given);
        }
        if self.terminal {
            return question.on_terminal().map(Some);
        }
        self.lacks(question.flag);
        Ok(None)
    }

    /// The same where there is a value for want of another.
    pub(super) fn or_default<T>(&self, question: &Question<'_, T>, given: Option<T>) -> Result<Option<T>> {
        if given.is_some() || !self.terminal || self.environment.iter().any(|key| key == question.setting) {
            return Ok(given);
        }
        question.on_terminal().map(Some)
    }

    /// Everything was given.
    pub(super) fn finish(self) -> Result<()> {
        ensure!(self.missing.is_empty(), "there is no terminal to ask on; expected also {}", self.missing.join(", "));
        Ok(())
    }
}

/// One question.
pub(super) struct Question<'a, T> {
    setting: &'a str,
    flag: &'a str,
    words: &'a str,
    default: &'a str,
    parse: &'a dyn Fn(&str) -> Result<T, String>,
}

impl<'a, T> Question<'a, T> {
    /// About a setting, which a flag answers too. `default` is taken for an empty line; empty: there has to be an answer.
    pub(super) fn of([setting, flag, words]: [&'a str; 3], default: &'a str, parse: &'a dyn Fn(&str) -> Result<T, String>) -> Self {
        Self { setting, flag, words, default, parse }
    }

    fn on_terminal(&self) -> Result<T> {
        let shown = if self.default.is_empty() { String::new() } else { format!(" [{}]", self.default) };
        loop {
            console::Term::stderr().write_str(&format!("{}{shown}: ", self.words))?;
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line).with_context(|| format!("{}: expected a line of text", self.flag))?;
            if read == 0 {
                bail!("{}: the input ended before it was answered; nothing was written", self.flag);
            }
            let answer = Some(line.trim()).filter(|text| !text.is_empty()).unwrap_or(self.default);
            match (self.parse)(answer) {
                Ok(value) => return Ok(value),
                Err(expected) => output::talk(format!("  {expected}")),
            }
        }
    }
}

/// A whole number within bounds.
pub(super) fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(low: T, high: T) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let value = text.parse().ok().filter(|v| (low..=high).contains(v));
        value.ok_or_else(|| format!("expected a whole number, {low} … {high}"))
    }
}

/// One of a flag's words.
pub(super) fn word<T: clap::ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let all: Vec<_> = T::value_variants().iter().filter_map(|v| v.to_possible_value()).map(|v| v.get_name().to_owned()).collect();
        format!("expected one of {}", all.join(", "))
    })
}
