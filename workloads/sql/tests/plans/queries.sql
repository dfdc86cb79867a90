SELECT id, name, email, department, status, created_at, updated_at FROM users WHERE event_type <> 'USER_DELETED'

SELECT department, count(*) AS users, count(*) FILTER (WHERE status = 'ACTIVE') AS active_users
FROM users GROUP BY department

SELECT * FROM users

SELECT u.name AS 이름, upper(u.department) AS "부서" FROM users AS u WHERE u.id BETWEEN 1 AND 10

SELECT Name, CASE WHEN status = 'ACTIVE' THEN 1 ELSE 0 END AS active, created_at::date FROM users

SELECT count(*) FROM users

SELECT sum(salary) AS total, avg(salary), min(salary), max(name), count(email) FROM users

SELECT date_trunc('day', created_at) AS day, count(*) FROM users GROUP BY 1 HAVING count(*) > 10

SELECT upper(department) AS 부서, sum(salary) + 1 AS more FROM users GROUP BY department, status

SELECT department FROM users GROUP BY department

SELECT status = 'ACTIVE' AS active, avg(salary) AS mean, sum(salary) AS total FROM users GROUP BY active

SELECT coalesce(email, 'none') AS email, salary * 2 AS twice, -salary AS minus FROM users WHERE NOT (name LIKE '김%' OR salary IS NULL)

SELECT name, max(created_at)::date AS newest FROM users GROUP BY name HAVING max(created_at) > '2026-01-01' AND name IS NOT NULL
