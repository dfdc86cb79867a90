//! The made-up users: from a seed the same people, the same changes and the same records, every time.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use millrace_demo_kit::load::Event;

use crate::{
    event::UserEvent,
    user::{Status, User},
};

const FAMILY_NAMES: [&str; 20] = [
    "김", "이", "박", "최", "정", "강", "조", "윤", "장", "임", "한", "오", "서", "신", "권", "황", "안", "송", "남궁",
    "홍",
];
const GIVEN_NAMES: [&str; 24] = [
    "길동", "민준", "서연", "도윤", "지우", "예준", "하은", "시우", "수아", "주원", "지호", "서윤", "영희", "철수",
    "은지", "현우", "지민", "유진", "성호", "미영", "솔", "별", "준", "하늘",
];
const FIRST_NAMES: [&str; 16] = [
    "Anna", "Bob", "Chloé", "Dmitri", "Emma", "Finn", "Grace", "Hugo", "Ines", "Jack", "Karen", "Liam", "Mia", "Noah",
    "Olga", "Søren",
];
const LAST_NAMES: [&str; 16] = [
    "Smith", "O'Neil", "Müller", "García", "Rossi", "Novák", "Jones", "Brown", "Kowalski", "Silva", "Larsen", "Dubois",
    "Nguyen", "Lee", "Okafor", "van Dijk",
];
const DEPARTMENTS: [&str; 10] =
    ["개발팀", "영업팀", "인사팀", "재무팀", "마케팅팀", "고객지원팀", "법무팀", "Platform", "Research", "Design"];

/// Who is made up. Everything about a user follows from the seed and its id alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    pub seed: u64,
    pub users: u64,
    pub first_id: i64,
    /// Updates for every hundred users; above 100 some users have several.
    pub update_percent: u32,
    /// Of every hundred users as many are deleted in the end.
    pub delete_percent: u32,
}

/// How many users later the next change of a user follows: far enough that other records lie between.
const DISTANCE: u64 = 1000;

impl Population {
    pub fn ids(&self) -> std::ops::Range<i64> {
        self.first_id..self.first_id + self.users as i64
    }

    pub fn events(&self) -> Events {
        Events { population: *self, step: 0, change: 0 }
    }

    /// About how many records there are: exactly to know would mean to make them.
    pub fn expected_events(&self) -> u64 {
        self.users * u64::from(100 + self.update_percent + self.delete_percent) / 100
    }

    /// What a view of the topic holds in the end, in id order.
    pub fn final_rows(&self) -> impl Iterator<Item = User> + Send + use<> {
        let population = *self;
        (0..self.users).filter_map(move |index| population.final_row(index))
    }

    /// None for a user who is deleted in the end.
    pub fn final_row(&self, index: u64) -> Option<User> {
        let fate = self.fate(index);
        (!fate.deleted).then(|| self.user(index, fate.updates))
    }

    fn fate(&self, index: u64) -> Fate {
        let mut random = self.random(index, 0);
        let more: bool = random.random_range(0..100) < self.update_percent % 100;
        Fate {
            updates: u64::from(self.update_percent / 100) + u64::from(more),
            deleted: random.random_range(0..100) < self.delete_percent,
        }
    }

    fn most_changes(&self) -> u64 {
        // The first stands for the creation, the last for the deletion.
        u64::from(self.update_percent.div_ceil(100)) + 2
    }

    /// The user as it is after so many updates.
    fn user(&self, index: u64, updates: u64) -> User {
        let id = self.first_id + index as i64;
        let (name, mut department, mut status) = self.appearance(index, 0);
        for update in 1..=updates {
            (_, department, status) = self.appearance(index, update);
        }
        let created_at = self.created_at(index);
        User {
            id,
            name,
            email: format!("user.{id}@example.com"),
            department: department.to_owned(),
            status,
            created_at,
            updated_at: created_at + TimeDelta::milliseconds(updates as i64 * 3_600_123),
        }
    }

    fn appearance(&self, index: u64, version: u64) -> (String, &'static str, Status) {
        let mut random = self.random(index, version + 1);
        let mut pick = |words: &[&'static str]| words[random.random_range(0..words.len())];
        let korean = pick(FAMILY_NAMES.as_slice()).to_owned() + pick(GIVEN_NAMES.as_slice());
        let western = format!("{} {}", pick(FIRST_NAMES.as_slice()), pick(LAST_NAMES.as_slice()));
        let department = pick(DEPARTMENTS.as_slice());
        let status = match random.random_range(0..100) {
            0..80 => Status::Active,
            80..95 => Status::Inactive,
            _ => Status::Suspended,
        };
        (if random.random_bool(0.7) { korean } else { western }, department, status)
    }

    /// Whole seconds, milliseconds and microseconds all occur.
    fn created_at(&self, index: u64) -> DateTime<Utc> {
        let start: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).expect("2026 is in range");
        start + TimeDelta::microseconds(index as i64 * 12_500 + i64::from(index.is_multiple_of(7)))
    }

    /// A stream of random numbers for each version of each user, independent of all others.
    fn random(&self, index: u64, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream((self.first_id as u64).wrapping_add(index).wrapping_mul(1 << 16).wrapping_add(stream));
        random
    }
}

struct Fate {
    updates: u64,
    deleted: bool,
}

/// The records in the order in which they are sent. A user's own are in order, those of many users are mixed.
/// Needs no memory of what it has produced.
#[derive(Clone, Debug)]
pub struct Events {
    population: Population,
    step: u64,
    change: u64,
}

impl Events {
    /// The change that this step makes, if the user has one.
    fn current(&self) -> Option<Event> {
        let population = &self.population;
        let index = self.step.checked_sub(self.change * DISTANCE).filter(|index| *index < population.users)?;
        let key = (population.first_id + index as i64).to_string();
        let value = if self.change == 0 {
            UserEvent::created(&population.user(index, 0)).to_json().into_bytes()
        } else {
            let Fate { updates, deleted } = population.fate(index);
            if self.change <= updates {
                UserEvent::updated(&population.user(index, self.change)).to_json().into_bytes()
            } else if deleted && self.change == updates + 1 {
                let last = population.user(index, updates);
                UserEvent::deleted(last.id, last.updated_at + TimeDelta::seconds(1)).to_json().into_bytes()
            } else {
                return None;
            }
        };
        Some(Event { key, value })
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let changes = self.population.most_changes();
        let steps = self.population.users + (changes - 1) * DISTANCE;
        while self.step < steps {
            let event = self.current();
            self.change += 1;
            if self.change == changes {
                (self.step, self.change) = (self.step + 1, 0);
            }
            if event.is_some() {
                return event;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use serde_json::Value;

    use super::*;

    const POPULATION: Population =
        Population { seed: 7, users: 3000, first_id: 1_000_000, update_percent: 130, delete_percent: 10 };

    #[test]
    fn the_same_seed_gives_the_same_records_and_another_seed_gives_others() {
        let first: Vec<Event> = POPULATION.events().collect();
        let again: Vec<Event> = POPULATION.events().collect();
        let other: Vec<Event> = Population { seed: 8, ..POPULATION }.events().collect();
        assert!(first == again);
        assert!(first != other);
    }

    #[test]
    fn the_first_record_never_changes_from_one_version_of_the_program_to_the_next() {
        let first = POPULATION.events().next().unwrap();
        assert_eq!(first.key, "1000000");
        assert_eq!(
            String::from_utf8(first.value).unwrap(),
            r#"{"event_type":"USER_CREATED","user":{"id":1000000,"name":"Liam Lee","email":"user.1000000@example.com","department":"재무팀","status":"ACTIVE","created_at":"2026-01-01T00:00:00.000001Z","updated_at":"2026-01-01T00:00:00.000001Z"},"at":"2026-01-01T00:00:00.000001Z"}"#
        );
    }

    /// Reads the records as any stranger to this program would and keeps the newest of every key.
    #[test]
    fn the_final_rows_are_what_the_records_add_up_to() {
        let mut left: BTreeMap<i64, Value> = BTreeMap::new();
        let mut seen: HashMap<String, u64> = HashMap::new();
        for Event { key, value } in POPULATION.events() {
            let value: Value = serde_json::from_slice(&value).unwrap();
            let id = value["user"]["id"].as_i64().unwrap();
            assert_eq!(key, id.to_string());
            let type_of_event = value["event_type"].as_str().unwrap();
            let earlier = seen.entry(key).or_default();
            assert_eq!(type_of_event == "USER_CREATED", *earlier == 0);
            *earlier += 1;
            match type_of_event {
                "USER_CREATED" | "USER_UPDATED" => left.insert(id, value["user"].clone()),
                "USER_DELETED" => left.remove(&id),
                other => panic!("{other}"),
            };
        }
        let expected: BTreeMap<i64, Value> =
            POPULATION.final_rows().map(|user| (user.id, serde_json::to_value(user).unwrap())).collect();
        assert_eq!(seen.len(), 3000);
        assert!(left == expected, "the records add up to other rows than expected");
    }

    #[test]
    fn the_shares_of_updates_and_deletions_are_as_asked() {
        let count = |name: &str| {
            let needle = format!("\"event_type\":\"{name}\"");
            POPULATION.events().filter(|event| String::from_utf8_lossy(&event.value).contains(&needle)).count()
        };
        assert_eq!(count("USER_CREATED"), 3000);
        assert!((3600..4200).contains(&count("USER_UPDATED")), "{}", count("USER_UPDATED"));
        assert!((230..370).contains(&count("USER_DELETED")), "{}", count("USER_DELETED"));
        let none = Population { update_percent: 0, delete_percent: 0, ..POPULATION };
        assert_eq!(none.events().count(), 3000);
        assert_eq!(none.final_rows().count(), 3000);
        let all = Population { update_percent: 0, delete_percent: 100, ..POPULATION };
        assert_eq!((all.events().count(), all.final_rows().count()), (6000, 0));
    }

    #[test]
    fn the_people_are_varied() {
        let rows: Vec<User> = POPULATION.final_rows().collect();
        let departments: HashSet<&str> = rows.iter().map(|user| user.department.as_str()).collect();
        let emails: HashSet<&str> = rows.iter().map(|user| user.email.as_str()).collect();
        let ascii = rows.iter().filter(|user| user.name.is_ascii()).count();
        let statuses: HashSet<&str> = rows.iter().map(|user| user.status.as_str()).collect();
        assert_eq!((departments.len(), emails.len(), statuses.len()), (10, rows.len(), 3));
        assert!(ascii > rows.len() / 10 && ascii < rows.len() / 2, "{ascii} of {}", rows.len());
    }
}
