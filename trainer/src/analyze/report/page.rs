//! What every page of ours has: the head, the style, a table of contents, and how numbers are shown.

use crate::analyze::number::{self, short};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A part of a page.
pub(crate) struct Section {
    /// Where links lead.
    id: &'static str,
    title: &'static str,
    content: Markup,
}

impl Section {
    pub(crate) fn new(id: &'static str, title: &'static str, content: Markup) -> Self {
        Self { id, title, content }
    }
}

/// A whole page that needs no other file.
pub(crate) fn page(title: &str, opening: Markup, sections: &[Section]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { (opening) }
                nav aria-label="Contents" {
                    @for section in sections { a href={ "#" (section.id) } { (section.title) } }
                }
                main {
                    @for section in sections {
                        section id=(section.id) { h2 { (section.title) } (section.content) }
                    }
                }
            }
        }
    }
}

/// A number for people, with the exact one for programs.
pub(crate) fn number(value: f64) -> Markup {
    html! { data value=(value) { (short(value)) } }
}

/// The same for a number of the size of one.
pub(crate) fn ratio(value: f64) -> Markup {
    html! { data value=(value) { (number::ratio(value)) } }
}

/// A table in a box of its own that scrolls sideways where it is too wide.
pub(crate) fn table(head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div class="scroll" tabindex="0" {
            table {
                thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A word in a coloured frame.
pub(crate) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (text) } }
}

/// What a colour says. The words beside it say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Neutral,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Neutral => "neutral",
        }
    }
}

/// Terms and what belongs to them.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl { @for (term, fact) in facts { div { dt { (term) } dd { (fact) } } } } }
}
