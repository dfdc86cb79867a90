SELECT p.id, p.title, u.name AS author FROM posts AS p LEFT JOIN users AS u ON u.id = p.user_id

SELECT p.id, u.name AS author, other.name AS namesake
FROM posts p JOIN users u ON u.id = p.user_id LEFT JOIN users AS other ON other.name = u.name AND other.id > u.id
WHERE p.title <> '' AND u.salary > 100

SELECT u.department, count(*) AS posts, max(p.title) AS last
FROM posts p, users u WHERE p.user_id = u.id GROUP BY u.department
