//! The safety core: its states one by one, and its invariant under whatever may come.

mod checker;
mod invariant;
mod pilot;
mod robot;
mod states;
