-- What the compiler must know of Postgres 15 to resolve operators, functions and casts as it does.
-- catalogue.txt is this query's result; a test runs it again on a real server.
WITH polymorphic_or_plain AS (
  SELECT oid, typname, typcategory, typispreferred, typinput, typoutput
  FROM pg_type
  WHERE typnamespace = 'pg_catalog'::regnamespace
    AND typtype IN ('b', 'p', 'r', 'm')
    AND typname NOT IN ('internal', 'cstring', 'trigger', 'event_trigger', 'record', 'language_handler', 'void',
      'fdw_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler', 'pg_ddl_command')
    AND (typcategory <> 'A' OR typname IN ('_text', '_int4', '_bool', '_jsonb'))
)
SELECT line FROM (
  SELECT 1 AS part, concat_ws(' ', 'type', typname, typcategory, typispreferred,
    least((SELECT provolatile FROM pg_proc WHERE oid = typinput), 's'),
    least((SELECT provolatile FROM pg_proc WHERE oid = typoutput), 's')) AS line
  FROM polymorphic_or_plain
  UNION ALL
  SELECT 2, concat_ws(' ', 'cast', s.typname, t.typname, castcontext, castmethod,
    coalesce((SELECT provolatile FROM pg_proc WHERE oid = castfunc), 'i'))
  FROM pg_cast
  JOIN polymorphic_or_plain s ON s.oid = castsource
  JOIN polymorphic_or_plain t ON t.oid = casttarget
  WHERE s.oid <> t.oid
  UNION ALL
  SELECT 3, concat_ws(' ', 'operator', oprname, coalesce(l.typname, '-'), r.typname, o.typname, provolatile)
  FROM pg_operator
  LEFT JOIN polymorphic_or_plain l ON l.oid = oprleft
  JOIN polymorphic_or_plain r ON r.oid = oprright
  JOIN polymorphic_or_plain o ON o.oid = oprresult
  JOIN pg_proc p ON p.oid = oprcode
  WHERE oprleft = 0 OR l.oid IS NOT NULL
  UNION ALL
  SELECT 4, concat_ws(' ', 'function', prokind, proname, o.typname, provolatile,
    coalesce((SELECT typname FROM pg_type v WHERE v.oid = provariadic), '-'),
    (SELECT string_agg(a.typname, ' ' ORDER BY position) FROM unnest(proargtypes) WITH ORDINALITY AS x(oid, position)
     JOIN pg_type a ON a.oid = x.oid))
  FROM pg_proc p
  JOIN polymorphic_or_plain o ON o.oid = prorettype
  WHERE pronamespace = 'pg_catalog'::regnamespace
    AND prokind IN ('f', 'a', 'w')
    AND NOT proretset
    AND pronargdefaults = 0
    AND NOT EXISTS (
      SELECT FROM unnest(proargtypes) AS x(argument)
      WHERE argument NOT IN (SELECT oid FROM polymorphic_or_plain))
    AND coalesce(obj_description(p.oid, 'pg_proc'), '') !~
      '^(I/O|internal|less-equal-greater|hash|restriction|join sel|aggregate (trans|final|ser|des|comb)|G[iI][NS]|SP-GiST|BRIN|btree|sort support|deprecated|equal image)'
    AND proname !~
      '^(pg_|_|has_|gtsv|lo_|loread|lowrite|txid_snap|int[248](inc|dec|larger|smaller)|(float[48]|date|numeric|time|timetz|timestamp|timestamptz|oid|xid8|cash|bpchar|interval)_?(larger|smaller)|enum_|aclite|amval|RI_)'
) AS lines
ORDER BY part, line COLLATE "C"
