-- goose Up
-- + goose Up
--+goose UP
create table t ( -- the first;
  id int, /* it's; /* not */ 'nested */
-- in between; and a 'quote
  s text default '--;' -- ;
)
-- before the end
;
  -- indented
	
-- kept, after a line of blanks
-- +goose StatementBegin
-- kept too
insert into t values (1, 'a' /* ; */);
insert into t values (2, '/* b') -- ;
-- +goose StatementEnd
select 1; /* goose goes on here */
insert into t (id) values (3); -- and ends here;
-- +goose   Down  --
drop table t; -- done
-- the end;
