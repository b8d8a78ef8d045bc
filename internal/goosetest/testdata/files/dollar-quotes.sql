-- +goose Up
create table t (id int, "a;b$x$" text default $$;$$, c$d$ int);
insert into t values (1, $tag$ $$ ; $ta$ ' $tag$, 2);
-- +goose StatementBegin
create function f(int) returns int language plpgsql as $f$
begin
  -- it's
  execute $q$ insert into t values ($1, ';') $q$ using $1;
  return case when $1 > 1 then 1 else 2 end;
end
$f$;
select f(2); select f(3);
do $é$ begin insert into t values (9, '$'); end $é$;
-- +goose StatementEnd
-- +goose Down
drop function f(int); drop table t;
