//! What a manifest would do to an app, in sentences.

use crate::scene::{REPLAY, group, kafka_is_gone, running};
use expect_test::expect;
use millrace_operator::view::known::Known;

#[test]
fn what_will_be_read_again_is_said_beforehand() {
    running().asked(&expect![[r#"
        the group inventory stays where it is, 200 records behind
    "#]]);
    running().ask(REPLAY).asked(&expect![[r#"
        every instance is stopped, the group inventory is moved to the oldest records, and the instances are started again
        1600 records are read again
    "#]]);
    running().ask("spec: {replay: {id: again, from: {shiftBy: -850}}}").asked(&expect![[r#"
        every instance is stopped, the group inventory is moved by -850 records, and the instances are started again
        1600 records are read again
        topic order-events partition 0 begins at offset 100 now, asked for is 50
        topic order-events partition 1 begins at offset 100 now, asked for is 50
    "#]]);
    running()
        .ask("spec: {replay: {id: again, from: {latest: {}}}, internalTopics: {prefix: inventory-}}")
        .asked(&expect![[r#"
            every instance is stopped, the group inventory is moved after the newest records, and the instances are started again
            0 records are read again
            200 records that were not read yet are left out
            the internal topics inventory-* are deleted, and made again by the app
        "#]]);
    running().ask("spec: {replay: {id: again, from: {saved: never}}}").asked(&expect![[r#"
        replay.from.saved is 'never', but there was no replay of that id; there was no replay yet: write the id of a replay that was
    "#]]);
    running().ask(REPLAY).with(|seen| group(seen).committed.clear()).asked(&expect![[r#"
        every instance is stopped, the group inventory is moved to the oldest records, and the instances are started again
        0 records are read again
    "#]]);
    running().ask(REPLAY).with(|seen| seen.group = Known::Unknown(kafka_is_gone())).asked(&expect![[r#"
        not answered: no broker answers
    "#]]);
}
