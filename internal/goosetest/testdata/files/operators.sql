-- +goose Up
create table t as select 1 -- one
+/* two; */2 as a, 3*-1 as b, 2-/**/-1 as c, (array[1,2])[1:2] as d, '{"a": ";"}'::jsonb ->> 'a' as e, 1 <> 2 as f from (select 1) x where 1=1--;
;
-- +goose Down
drop table t;
