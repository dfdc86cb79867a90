//! What people do: they ask for replays, change the image, stop and scale, and pause.

use super::History;
use crate::faults::Fault;
use millrace_operator::view::spec::PAUSE;
use serde_json::{Value, json};

impl History {
    pub fn people(&mut self) {
        // People who change their minds all the time, and people who let things come to an end.
        let pace = if self.seed.is_multiple_of(2) { 60 } else { 250 };
        let (what, word, ends) = {
            let mut state = self.world.state();
            let what = state.faults.below(pace);
            if what <= 11 {
                state.story.struck(Fault::SpecChanged);
            }
            (what, state.faults.word() as usize, state.faults.chance(25))
        };
        // Nobody stops things for long.
        if ends {
            self.app.spec.suspend = false;
            self.app.metadata.annotations = None;
        }
        match what {
            0..=4 => self.ask_for(some_place(word, self.replays)),
            5 => self.app.spec.replay = None,
            6 | 7 => self.app.spec.suspend = !self.app.spec.suspend,
            8 => {
                let annotations = [(PAUSE.to_owned(), "true".to_owned())];
                self.app.metadata.annotations = Some(annotations.into());
            }
            9 => {
                let image = format!("inventory:{}", word % 3);
                self.app.spec.pod_template["spec"]["containers"][0]["image"] = image.into();
            }
            10 => self.app.spec.workers.max = 1 + (word % 4) as i32,
            11 => {
                // What was asked for not long ago is put back.
                let id = format!("replay-{}", self.replays.saturating_sub((word % 10) as u32));
                self.replay(&id, json!({"latest": {}}));
            }
            _ => {}
        }
        if self.app.spec.workers.max != 4 && ends {
            self.app.spec.workers.max = 4;
        }
    }

    /// A new replay.
    pub fn ask_for(&mut self, from: Value) {
        self.app.spec.workers.max = 4;
        self.replays += 1;
        self.replay(&format!("replay-{}", self.replays), from);
    }

    fn replay(&mut self, id: &str, from: Value) {
        let replay = json!({"id": id, "from": from});
        self.app.spec.replay = Some(serde_json::from_value(replay).expect("a replay"));
        self.app.metadata.generation = self.app.metadata.generation.map(|generation| generation + 1);
    }
}

fn some_place(word: usize, replays: u32) -> Value {
    let number = word / 16 % 200;
    match word % 10 {
        0 => json!({"latest": {}}),
        1 => json!({"duration": format!("{}s", number + 1)}),
        2 => json!({"offsets": {"order-events": {"0": number}}}),
        3 | 4 => json!({"shiftBy": number as i64 - 150}),
        5 | 6 => json!({"saved": format!("replay-{}", number % (replays as usize + 1))}),
        _ => json!({"earliest": {}}),
    }
}
