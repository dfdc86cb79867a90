//! What is wrong with an app, in a sentence, and what is left alone because of it.

use crate::scene::{children, prepared, running};
use expect_test::expect;
use millrace_operator::{
    app::observed::{Ledger, Observed, Template},
    view::known::Known,
};

#[test]
fn the_older_of_two_apps_with_one_group_has_it() {
    let older = r#"metadata: {name: audit, uid: uid-0, creationTimestamp: "2023-11-13T00:00:00Z"}"#;
    running().beside(older).check(&expect![[r#"
        Steady
        ! GroupTaken: the consumer group inventory is that of the StreamApp shop/audit, and two apps of one group would take each other's records; make this one again with a group of its own
    "#]]);
    let newer = r#"metadata: {name: audit, uid: uid-2, creationTimestamp: "2023-11-15T00:00:00Z"}"#;
    running().beside(newer).check(&expect![[r#"
        Steady
    "#]]);
    let elsewhere = format!("{older}\nspec: {{kafka: {{secretRef: {{name: other-kafka}}}}}}");
    running().beside(&elsewhere).check(&expect![[r#"
        Steady
    "#]]);
}

#[test]
fn a_template_that_is_refused_stops_nothing() {
    running()
        .with(|seen| {
            children(seen).template = Some(Template::Refused("spec.template.spec.containers[0].ports: invalid".into()))
        })
        .check(&expect![[r#"
            Steady
            ! TemplateRefused: the API server refuses podTemplate: spec.template.spec.containers[0].ports: invalid; correct it, what runs goes on as it was
        "#]]);
}

#[test]
fn what_somebody_else_has_made_is_left_alone() {
    running().with(|seen| children(seen).deployment.as_mut().expect("it runs").ours = false).check(&expect![[r#"
        ! NameTaken: there is a Deployment inventory-app that was not made for shop/inventory, and it is left alone; delete or rename it, or make the app again under another name
    "#]]);
    running()
        .with(|seen| {
            children(seen).ledger = Some(Ledger {
                resource_version: "1".into(),
                ours: false,
                group: String::new(),
                replays: Ok(Vec::new()),
            });
        })
        .check(&expect![[r#"
            ! NameTaken: there is a ConfigMap inventory-replays that was not made for shop/inventory, and it is left alone; delete or rename it, or make the app again under another name
        "#]]);
}

#[test]
fn brokers_that_ask_for_a_login_need_a_secret_of_the_namespace() {
    let secured = |seen: &mut Observed| {
        let Known::Present(address) = &mut seen.kafka_address else { panic!("it is known") };
        (address.login, address.ca) = (true, Some("PEM".into()));
    };
    let asks = || prepared().with(secured);
    asks().check(&expect![[r#"
        Steady
        ! SecretMissing: the operator's Kafka asks for a login, which instances are not given; put it for this namespace into a Secret and name it in spec.kafka.secretRef
    "#]]);
    asks().ask("spec: {kafka: {secretRef: {name: shop-kafka}}}").check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=2
    "#]]);
}

#[test]
fn an_instance_that_cannot_start_is_told() {
    running()
        .with(|seen| children(seen).failing = Some("worker inventory-app-1-0 cannot start: ErrImagePull".into()))
        .check(&expect![[r#"
            Steady
            ! WorkersFailing: worker inventory-app-1-0 cannot start: ErrImagePull
        "#]]);
}
