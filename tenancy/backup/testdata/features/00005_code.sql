-- +goose Up
create table audit (at timestamptz not null default now(), what text);
create table guarded (id int primary key, body text, changed int not null default 0);
-- +goose StatementBegin
create function note_change() returns trigger language plpgsql as $$
begin
	insert into audit (what) values (tg_op || ' ' || new.id);
	new.changed := new.changed + 1;
	return new;
end $$;
-- +goose StatementEnd
-- +goose StatementBegin
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'fired'; end $$;
-- +goose StatementEnd
create trigger note before insert or update on guarded for each row execute function note_change();
create trigger refuse after insert on guarded for each row when (new.id < 0) execute function refuse();
alter table guarded disable trigger refuse;
-- +goose StatementBegin
create procedure clean() language sql as 'delete from log';
-- +goose StatementEnd

create table secrets (owner text, body text);
alter table secrets enable row level security;
create policy own on secrets using (owner = current_user);

create view heads as select d.name, s.id from departments d join staff s on s.id = d.head;
create view editable as select id, body from guarded where id > 0 with check option;
create materialized view shard_counts as select count(*) as n from shards;
create unique index on shard_counts (n);
create materialized view unfilled as select 1 as x with no data;
create rule no_delete as on delete to log do instead nothing;
create index on guarded (lower(body)) where id > 10;
create statistics guarded_stats (dependencies) on id, changed from guarded;
comment on table guarded is 'has triggers';

insert into empty values (1), (2);
