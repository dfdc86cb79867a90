//! What a manifest would do to an app, in sentences.

use crate::scene::{REPLAY, group, kafka_is_gone, running};
use expect_test::expect;
use millrace_operator::view::known::Known;

#[test]
fn what_will_be_read_again_is_said_beforehand() {
    running().asked(&expect![[""]]);
    running().ask(REPLAY).asked(&expect![[""]]);
    running().ask("spec: {replay: {id: again, from: {shiftBy: -850}}}").asked(&expect![[""]]);
    running()
        .ask("spec: {replay: {id: again, from: {latest: {}}}, internalTopics: {prefix: inventory-}}")
        .asked(&expect![[""]]);
    running().ask("spec: {replay: {id: again, from: {saved: never}}}").asked(&expect![[""]]);
    running().ask(REPLAY).with(|seen| group(seen).committed.clear()).asked(&expect![[""]]);
    running().ask(REPLAY).with(|seen| seen.group = Known::Unknown(kafka_is_gone())).asked(&expect![[""]]);
}
