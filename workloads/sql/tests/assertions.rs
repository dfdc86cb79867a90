//! Assertions: what is printed of those that are accepted, and the sentence that refuses another one.

use expect_test::{Expect, expect};
use millrace_sql::Assertion;
use std::fmt::Write;

const FIELD: &str = "spec.rollout.gates.assertions[0]";

/// Each text and what becomes of it, with `next` and `live` in the places of the revisions.
fn check(texts: &[&str], expected: &Expect) {
    let mut found = String::new();
    for text in texts {
        let line = match Assertion::parse(FIELD, text) {
            Ok(assertion) => assertion.sql("next", Some("live")).expect("both revisions are there"),
            Err(error) => error.to_string(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(found, "{line}");
    }
    expected.assert_eq(&found);
}

#[test]
fn an_assertion_is_printed_from_its_tree() {
    check(
        &[
            "select count(*) > 0 from {next}",
            "SELECT (select count(*) from {next}) >= (select count(*) from {live}) * 9 / 10;",
            "select not exists (select id from {live} except select id from {next})",
            "select count(*) = count(distinct n.ID) from {next} as n",
            "select bool_and(total >= 0.5e1) from {next} where \"부서\" <> 'it''s' and not name like 'a\\%' escape '\\'",
            "with old as (select id, lower(name) as name from {live}) select count(*) < 10 from {next} n \
             left join old on old.id = n.id and old.name is distinct from n.name where old.id is null",
            "select max(n) - - 1 > 0 from (select count(*) as n from {next} group by department having count(*) > 1 \
             order by 1 desc nulls last limit 5) as groups",
            "select case when sum(total) filter (where id in (1, 2)) between 1 and 10 then true else null end from {next}",
            "select coalesce(extract(year from max(at)), 0) >= 2026 and min(day) > date '2026-01-01' from {next}",
            "select every_one.x::text = cast(1 as text) from (select * from {next}) every_one",
            "select substring(name from 2 for 3) = trim(both 'x' from 'xyx') from {next} limit 1",
        ],
        &expect![[r#"
            SELECT (SELECT pg_catalog."count"(*) > 0 FROM (next) AS "next") AND true
            SELECT (SELECT (SELECT pg_catalog."count"(*) FROM (next) AS "next") >= (SELECT pg_catalog."count"(*) FROM (live) AS "live") * 9 / 10) AND true
            SELECT (SELECT NOT EXISTS (SELECT "id" FROM (live) AS "live" EXCEPT SELECT "id" FROM (next) AS "next")) AND true
            SELECT (SELECT pg_catalog."count"(*) = pg_catalog."count"(DISTINCT "n"."id") FROM (next) AS "n") AND true
            SELECT (SELECT pg_catalog."bool_and"("total" >= 0.5e1) FROM (next) AS "next" WHERE "부서" <> 'it''s' AND NOT "name" LIKE E'a\\%' ESCAPE E'\\') AND true
            SELECT (WITH "old" AS (SELECT "id", pg_catalog."lower"("name") AS "name" FROM (live) AS "live") SELECT pg_catalog."count"(*) < 10 FROM (next) AS "n" LEFT JOIN "old" ON "old"."id" = "n"."id" AND "old"."name" IS DISTINCT FROM "n"."name" WHERE "old"."id" IS NULL) AND true
            SELECT (SELECT pg_catalog."max"("n") - - 1 > 0 FROM (SELECT pg_catalog."count"(*) AS "n" FROM (next) AS "next" GROUP BY "department" HAVING pg_catalog."count"(*) > 1 ORDER BY 1 DESC NULLS LAST LIMIT 5) AS "groups") AND true
            SELECT (SELECT CASE WHEN pg_catalog."sum"("total") FILTER (WHERE "id" IN (1, 2)) BETWEEN 1 AND 10 THEN true ELSE NULL END FROM (next) AS "next") AND true
            SELECT (SELECT coalesce(pg_catalog."extract"('year', pg_catalog."max"("at")), 0) >= 2026 AND pg_catalog."min"("day") > CAST('2026-01-01' AS date) FROM (next) AS "next") AND true
            SELECT (SELECT "every_one"."x"::text = CAST(1 AS text) FROM (SELECT * FROM (next) AS "next") AS "every_one") AND true
            SELECT (SELECT pg_catalog."substring"("name", 2, 3) = pg_catalog."btrim"('xyx', 'x') FROM (next) AS "next" LIMIT 1) AND true
        "#]],
    );
}

#[test]
fn an_assertion_that_reads_or_does_anything_else_is_refused_with_its_place() {
    check(
        &[
            "",
            "delete from {next}",
            "select true; drop table shop.user_view",
            "select count(*) > 0 from {next} where",
            "select count(*) > 0 from shop.user_view",
            "select count(*) > 0 from pg_class",
            "with pg_class as (select 1 from {next}) select (select true from pg_class) from pg_class, pg_roles",
            "with next as (select 1 from next) select true from next",
            "select true from (with r as (select 1 from {next}) select 1 from r) as x, r",
            "with gone as (delete from {live} returning id) select true from gone",
            "select true from generate_series(1, 10)",
            "select true from {next}, lateral (select 1) x",
            "select true from (select 1)",
            "select {next}.id > 0 from {live}",
            "select true from {old}",
            "select true from { next }",
            "select true from {next} for update",
            "select true into other from {next}",
            "select pg_sleep(10) is null from {next}",
            "select set_config('role', 'postgres', false) = '' from {next}",
            "select pg_catalog.current_setting('role') = '' from {next}",
            "select lowr(name) = 'x' from {next}",
            "select current_user = 'me' from {next}",
            "select count(*) over () = 1 from {next}",
            "select lower(distinct name) = 'x' from {next}",
            "select 'pg_class'::regclass is null from {next}",
            "select (id operator(public.+) 1) > 0 from {next}",
            "select shop.next.id > 0 from {next}",
            "select $1 from {next}",
            "with recursive r as (select 1 from {next}) select true from r",
            "select true from {next} tablesample system (10)",
            "values (true)",
        ],
        &expect![[r#"
            spec.rollout.gates.assertions[0] line 1, column 1: found no statement; an assertion is one SELECT: write for example SELECT count(*) > 0 FROM {next}
            spec.rollout.gates.assertions[0] line 1, column 1: found a statement that is no SELECT; an assertion is one SELECT: write for example SELECT count(*) > 0 FROM {next}
            spec.rollout.gates.assertions[0] line 1, column 12: found a second statement; an assertion is one SELECT: write one assertion for each
            spec.rollout.gates.assertions[0] line 1, column 38: found the end of the text; an expression was expected: correct the SQL; Postgres's grammar is meant
            spec.rollout.gates.assertions[0] line 1, column 26: found a qualified table name; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 26: found the relation "pg_class"; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 91: found the relation "pg_roles"; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 29: found the relation "next"; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 75: found the relation "r"; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 15: found DELETE; an assertion is made of SELECTs: write SELECT
            spec.rollout.gates.assertions[0] line 1, column 18: found a function in FROM; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 35: found LATERAL; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 19: found a subquery in FROM without a name; Postgres 15 wants one: write (SELECT …) AS and a name
            spec.rollout.gates.assertions[0] line 1, column 8: found {next} outside FROM; it is a relation: write FROM before it, and name its columns here
            spec.rollout.gates.assertions[0] line 1, column 18: found the brace {; an assertion reads {next} and {live}: write one of them, without spaces
            spec.rollout.gates.assertions[0] line 1, column 18: found the brace {; an assertion reads {next} and {live}: write one of them, without spaces
            spec.rollout.gates.assertions[0] line 1, column 25: found a locking clause (FOR …); an assertion locks nothing: remove the clause
            spec.rollout.gates.assertions[0] line 1, column 13: found SELECT INTO; an assertion writes nothing: remove the clause
            spec.rollout.gates.assertions[0] line 1, column 8: found the function "pg_sleep"; assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or: write one of them
            spec.rollout.gates.assertions[0] line 1, column 8: found the function "set_config"; assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or: write one of them
            spec.rollout.gates.assertions[0] line 1, column 8: found the function pg_catalog.current_setting; assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or: write one of them, without a schema
            spec.rollout.gates.assertions[0] line 1, column 8: found the function "lowr"; assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or: write one of them (did you mean lower?)
            spec.rollout.gates.assertions[0] line 1, column 8: found the function "current_user"; assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or: write one of them
            spec.rollout.gates.assertions[0] line 1, column 8: found count(…) OVER; assertions have no windows: use a subquery
            spec.rollout.gates.assertions[0] line 1, column 8: found a clause inside or behind lower(…); aggregates have DISTINCT and FILTER: remove the clause
            spec.rollout.gates.assertions[0] line 1, column 8: found the type regclass; views know boolean, smallint, integer, bigint, real, double precision, numeric, text, date, time, timestamp, timestamptz, uuid and jsonb: write one of them
            spec.rollout.gates.assertions[0] line 1, column 9: found the expression id OPERATOR(public.+) 1; assertions have columns, constants, the operators and functions of docs/sql.md, CASE, IN, EXISTS and subqueries: write it with these
            spec.rollout.gates.assertions[0] line 1, column 8: found a name with a schema; a column is written column, or relation.column: leave out the schema
            spec.rollout.gates.assertions[0] line 1, column 8: found the parameter $1; the text is complete: write the value
            spec.rollout.gates.assertions[0] line 1, column 6: found WITH RECURSIVE; an assertion does not recurse: write a SELECT over the rows themselves
            spec.rollout.gates.assertions[0] line 1, column 18: found a table with options; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
            spec.rollout.gates.assertions[0] line 1, column 1: found VALUES; an assertion is made of SELECTs: write SELECT
        "#]],
    );
}

#[test]
fn an_assertion_about_the_live_revision_is_not_asked_without_one() {
    let parse = |text| Assertion::parse(FIELD, text).expect("it is accepted");
    assert_eq!(parse("select count(*) > 0 from {live}").sql("next", None), None);
    assert!(parse("select count(*) > 0 from {next}").sql("next", None).is_some());
}

#[test]
fn an_assertion_is_shown_to_people_as_one_short_line() {
    let long = format!("select count(*) > 0\n   from {{next}} where name in ({})", vec!["'이름'"; 100].join(", "));
    let assertion = Assertion::parse(FIELD, &long).expect("it is accepted");
    assert!(assertion.text().starts_with("select count(*) > 0 from {next} where"), "{}", assertion.text());
    assert_eq!(assertion.text().chars().count(), 201);
}

#[test]
fn chains_and_nests_of_any_length_are_answered() {
    for text in [
        format!("select {} > 0 from {{next}}", vec!["1"; 9_000].join("+")),
        format!("select {}1{} > 0 from {{next}}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("select {}true from {{next}}", "NOT ".repeat(15_000)),
        vec!["select true from {next}"; 1_000].join(" union "),
    ] {
        Assertion::parse(FIELD, &text).expect_err("it is refused");
    }
}

#[test]
fn no_text_reaches_postgres_as_more_than_a_name_or_a_string() {
    let hostile = ["'); drop table x; --", "\\'); drop table x; --", "\"); drop table x; --", "$$; drop table x"];
    for text in hostile {
        let name = text.replace('"', "\"\"");
        let string = text.replace('\'', "''");
        let asked = format!("select '{string}' = \"{name}\" from {{next}}");
        let sql = Assertion::parse(FIELD, &asked).expect("it is accepted").sql("next", None).expect("no live one");
        let (quoted, written) = (millrace_contract::ident::quote(text), millrace_contract::ident::literal(text));
        assert_eq!(sql, format!("SELECT (SELECT {written} = {quoted} FROM (next) AS \"next\") AND true"));
    }
    Assertion::parse(FIELD, "select E'\\x00' = '' from {next}").expect_err("Postgres's text has no such character");
}
