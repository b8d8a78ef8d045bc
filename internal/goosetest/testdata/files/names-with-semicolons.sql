-- +goose Up
create table "it's; a ""table""" ("a;b" int, U&"d\0061t;" text);
insert into "it's; a ""table""" values (1, 'x'); insert into "it's; a ""table""" ("a;b") values (2);
create domain positive as int check (value > 0); create type mood as enum ('sad;', 'ok');
-- +goose Down
drop table "it's; a ""table""";
drop type mood; drop domain positive;
