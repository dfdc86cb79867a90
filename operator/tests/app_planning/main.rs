//! Plans of apps as text: what a person wrote and what was seen, and what is done, waited for and wrong because of it.

mod deletion;
mod forecasts;
mod replays;
mod resets;
mod running;
mod scene;
mod statuses;
mod template;
mod troubles;
