-- +goose Up
create table notes (id int, body text);
insert into notes values (1, E'it''s 5 o\'clock');
insert into notes values (2, E'one; '
  'two\'; three');
insert into notes values (3, E'a\\'), (4, e'\';'), (5, E'\\\\\''''), (6, 'plain\'), (7, E'');
insert into notes values (8, E'x' -- it's; a comment
  -- another 'one';

	'y\';' -- and
'z\'') ;
insert into notes values (9, 'one; '
'two\'
'three;') ;
insert into notes values (10, U&'d\0061t;''\+000061'), (11, U&'d!0061t;' uescape '!');
insert into notes values (12, B'101'::text || X'1f'::text || N'n;''');
insert into notes values (13, B'10'
'01');
-- +goose Down
drop table notes;
