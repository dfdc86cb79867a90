SELECT nmae FROM users

SELECT id, '한국어' AS 설명, nmae FROM users

SELECT "이름" FROM users

SELECT "Name" FROM users

SELECT id
FROM usres

SELECT p.id FROM users

SELECT users.id FROM users AS u

SELECT shop.users.id FROM users

SELECT users FROM users

SELECT id FROM shop.users

SELECT id FROM users u (a, b)

SELECT u.id FROM users u JOIN posts p ON p.user_id = u.id

SELECT '홍길동' AS 이름, u.id
FROM users u, posts p

SELECT id FROM (SELECT id FROM users) AS x

WITH x AS (SELECT id FROM users) SELECT id FROM x

SELECT id FROM users UNION ALL SELECT id FROM users

SELECT id FROM users INTERSECT SELECT id FROM users

SELECT DISTINCT ON (department) id FROM users

SELECT id FROM users ORDER BY id

SELECT id FROM users LIMIT 10

SELECT id FROM users OFFSET 10

SELECT id FROM users FOR UPDATE

SELECT id INTO x FROM users

SELECT 1 AS x

VALUES (1)

INSERT INTO users VALUES (1)

DELETE FROM users

DROP TABLE users

SELECT id FROM users; SELECT id FROM users

-- 주석뿐

SELECT id users WHERE

SELECT id FROM users WHERE id = 'abc

SELECT id FROM users WHERE (id = 1

SELECT id FROM users WHERE id = $1

SELECT 1_000 AS x FROM users

SELECT 10id FROM users

SELECT id FROM users WHERE id IN (SELECT 1)

SELECT id FROM users WHERE EXISTS (SELECT 1)

SELECT (SELECT 1) AS x FROM users

SELECT id FROM users WHERE id = ANY (ARRAY[1, 2])

SELECT ARRAY[1] AS x FROM users

SELECT ts + INTERVAL '1 day' AS x FROM users

SELECT ts - ts AS x FROM users

SELECT row_number() OVER (ORDER BY id) AS n FROM users

SELECT sum(id) OVER () AS n FROM users

SELECT string_agg(name, ',') AS names FROM users

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) AS x FROM users

SELECT count(DISTINCT name) AS n FROM users

SELECT now() AS at FROM users

SELECT current_timestamp AS at FROM users

SELECT random() AS r FROM users

SELECT 'now'::timestamptz AS at FROM users

SELECT lowr(name) AS x FROM users

SELECT shop.lower(name) AS x FROM users

SELECT lower(id) AS x FROM users

SELECT coalesce() AS x FROM users

SELECT nullif(id) AS x FROM users

SELECT '홍길동' AS 이름, name + id AS x FROM users

SELECT name = 1 AS x FROM users

SELECT id FROM users WHERE id

SELECT id FROM users WHERE '한글' AND bo

SELECT id FROM users WHERE NOT id

SELECT '홍'::integer AS x FROM users

SELECT DATE '2026-02-30' AS x FROM users

SELECT id::interval AS x FROM users

SELECT nu::numeric(10, 2) AS x FROM users

SELECT name::varchar(20) AS x FROM users

SELECT bo::date AS x FROM users

SELECT coalesce(id, name) AS x FROM users

SELECT CASE WHEN bo THEN 1 ELSE '일' END AS x FROM users

SELECT CASE WHEN id THEN 1 END AS x FROM users

SELECT id < 1 < 2 AS x FROM users

SELECT - id ^ 2 AS x FROM users

SELECT name COLLATE "ko_KR" AS x FROM users

SELECT name SIMILAR TO 'a' AS x FROM users

SELECT name LIKE ANY (ARRAY['a']) AS x FROM users

SELECT (id, name) AS x FROM users

SELECT js['a'] AS x FROM users

SELECT id, id FROM users

SELECT id + 1 FROM users

SELECT id AS _id FROM users

SELECT id AS 부서이름이아주길어서육십삼바이트를넘는이름은안됩니다 FROM users

SELECT *, 1 AS id FROM users

SELECT FROM users

SELECT department, name, count(*) FROM users GROUP BY department

SELECT '부서' AS 제목, upper(name) AS 이름, count(*) FROM users GROUP BY department

SELECT department, count(*) AS n FROM users GROUP BY n

SELECT department, count(*) AS n FROM users GROUP BY 2

SELECT department, count(*) AS n FROM users GROUP BY 3

SELECT department, count(*) AS n FROM users GROUP BY 'department'

SELECT department, count(*) AS n FROM users GROUP BY ROLLUP (department)

SELECT department, count(*) AS n FROM users GROUP BY GROUPING SETS ((department), ())

SELECT id FROM users WHERE count(*) > 1

SELECT department FROM users GROUP BY department HAVING count(*)

SELECT department FROM users GROUP BY department HAVING name = 'x'

SELECT sum(count(*)) AS x FROM users

SELECT count(id, name) AS x FROM users

SELECT sum(*) AS x FROM users

SELECT lower(name) FILTER (WHERE bo) AS x FROM users

SELECT count(*) FILTER (WHERE id) AS x FROM users

SELECT sum(name) AS x FROM users

SELECT sum('1') AS x FROM users

SELECT sum(f8) AS x FROM users

SELECT department, avg(f4) AS x FROM users GROUP BY department

SELECT min(bo) AS x FROM users

SELECT max(js) AS x FROM users

SELECT max(uu) AS x FROM users

SELECT 1e200000 AS x FROM users

SELECT B'101' AS x FROM users

SELECT lower(name, VARIADIC name) AS x FROM users

SELECT 'a'
'b' FROM users

SELECT department, to_hex(count(*)) AS x, upper(max(name)) AS y FROM users GROUP BY department

SELECT nu, lower(nu::text) AS x, count(*) FROM users GROUP BY nu

SELECT max(tz)::text AS x FROM users

SELECT id IS NULL IS TRUE AS x FROM users

SELECT tx LIKE 'a' LIKE 'b' AS x FROM users

SELECT a FROM users WHERE EXTRACT(dekade FROM ts) = 1

SELECT u.id FROM users u JOIN users v ON v.age = u.id

SELECT u.id FROM users u JOIN users v ON u.id > v.id

SELECT u.id FROM users u CROSS JOIN users v

SELECT u.id FROM users u JOIN users u ON u.id = u.id

SELECT id FROM users u JOIN users v ON v.id = u.id

SELECT u.id FROM users u NATURAL JOIN users v

SELECT u.id FROM users u FULL JOIN users v USING (id)

SELECT u.id FROM users u JOIN users v ON v.id = w.id JOIN users w ON w.id = u.id

SELECT u.id FROM users u SEMI JOIN users v ON v.id = u.id

SELECT DISTINCT name, count(*) AS n FROM users GROUP BY name

SELECT id FROM users WHERE id NOT IN (SELECT i8 FROM users)

SELECT id FROM users WHERE EXISTS (SELECT FROM users x WHERE x.id > users.id)

SELECT id FROM users WHERE id IN (SELECT id, name FROM users x)

SELECT id FROM users WHERE id IN (SELECT max(i8) FROM users x GROUP BY name)

SELECT id FROM users WHERE id IN (SELECT max(i8) FROM users x)

SELECT u.id FROM users u JOIN users v WHERE u.id = v.id
