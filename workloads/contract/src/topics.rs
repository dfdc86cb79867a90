//! The topics of a view, and the numbers of its tasks.

/// Tasks are numbered through: partition `p` of the topic `t` of `n` is the task `p * n + t`. With one topic a task has
/// its partition's number, and a topic that grows changes no other task's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics(Vec<String>);

impl Topics {
    /// At least one topic, each once.
    pub fn new(names: Vec<String>) -> Topics {
        Topics(names)
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The task of a partition of the topic at `index`.
    pub fn task(&self, index: usize, partition: i32) -> i32 {
        partition * self.0.len() as i32 + index as i32
    }

    /// The task of a partition of the topic of this name; none for a topic that the view does not read.
    pub fn task_of(&self, topic: &str, partition: i32) -> Option<i32> {
        Some(self.task(self.0.iter().position(|name| name == topic)?, partition))
    }

    /// The index of a task's topic.
    pub fn index(&self, task: i32) -> usize {
        task.rem_euclid(self.0.len() as i32) as usize
    }

    /// The name of a task's topic.
    pub fn name(&self, task: i32) -> &str {
        &self.0[self.index(task)]
    }

    pub fn partition(&self, task: i32) -> i32 {
        task.div_euclid(self.0.len() as i32)
    }

    /// What people know a task by: its partition, with its topic where there are several.
    pub fn label(&self, task: i32) -> String {
        match &self.0[..] {
            [_] => task.to_string(),
            [..] => format!("{}/{}", self.name(task), self.partition(task)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_tells_its_topic_and_its_partition() {
        let topics = Topics::new(vec!["글".into(), "users".into(), "orders".into()]);
        for (index, name) in ["글", "users", "orders"].into_iter().enumerate() {
            for partition in 0..5 {
                let task = topics.task(index, partition);
                assert_eq!((topics.name(task), topics.partition(task)), (name, partition));
                assert_eq!(topics.task_of(name, partition), Some(task));
            }
        }
        assert_eq!(topics.task_of("others", 0), None);
        assert_eq!(Topics::new(vec!["users".into()]).task(0, 7), 7);
    }
}
