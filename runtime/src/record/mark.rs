//! What the operator says of episodes. Pure.

use crate::error::Error;
use serde::Serialize;
use std::str::FromStr;

/// How an episode went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The task was done.
    Success,
    /// It was not.
    Failure,
    /// Not to be learned from: something was wrong with the episode itself.
    Discard,
}

impl Outcome {
    /// As it is marked.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Discard => "discard",
        }
    }
}

/// A mark: a `std_msgs/msg/String` on `sinew/episode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `start`: a new episode begins.
    Start,
    /// `success`, `failure` or `discard`: the episode ends so.
    End(Outcome),
    /// `note: TEXT`: kept with the episode.
    Note(String),
}

impl FromStr for Mark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "start" => Ok(Self::Start),
            "success" => Ok(Self::End(Outcome::Success)),
            "failure" => Ok(Self::End(Outcome::Failure)),
            "discard" => Ok(Self::End(Outcome::Discard)),
            other => match other.strip_prefix("note:") {
                Some(note) => Ok(Self::Note(note.trim().to_owned())),
                None => Err(Error::Sample {
                    what: "mark of an episode".to_owned(),
                    expected: "`start`, `success`, `failure`, `discard` or `note: TEXT`".to_owned(),
                    found: format!("`{other}`"),
                }),
            },
        }
    }
}

/// The mark that a line of the keyboard stands for, as it is sent; none for other lines.
#[must_use]
pub fn of_line(line: &str) -> Option<String> {
    match line.trim() {
        "b" => Some("start".to_owned()),
        "s" => Some(Outcome::Success.name().to_owned()),
        "f" => Some(Outcome::Failure.name().to_owned()),
        "d" => Some(Outcome::Discard.name().to_owned()),
        other => other.strip_prefix("n ").map(|note| format!("note: {}", note.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        assert_eq!("start".parse::<Mark>().unwrap(), Mark::Start);
        assert_eq!(" failure\n".parse::<Mark>().unwrap(), Mark::End(Outcome::Failure));
        assert_eq!("note: egg was wet".parse::<Mark>().unwrap(), Mark::Note("egg was wet".to_owned()));
        let refusal = "succes".parse::<Mark>().unwrap_err().to_string();
        assert!(refusal.contains("`success`") && refusal.contains("`succes`"), "{refusal}");
    }

    #[test]
    fn every_key_of_the_keyboard_is_a_mark() {
        for (line, mark) in [
            ("b", Mark::Start),
            ("s", Mark::End(Outcome::Success)),
            ("f", Mark::End(Outcome::Failure)),
            ("d", Mark::End(Outcome::Discard)),
            ("n too fast", Mark::Note("too fast".to_owned())),
        ] {
            assert_eq!(of_line(line).unwrap().parse::<Mark>().unwrap(), mark);
        }
        assert_eq!(of_line(""), None);
        assert_eq!(of_line("stop"), None);
    }
}
