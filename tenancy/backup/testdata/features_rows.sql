-- What the tenant with the features has. Its schema is on the path.
insert into scalars values
	(1, true, -32768, 2147483647, -9223372036854775808, 'NaN', 12345678.90,
		'-0', 'Infinity', '-$92,233,720.50',
		'', '', '', '', '', '',
		'-infinity', '24:00:00', '00:00:00+15:59', 'infinity', '-infinity', '-178000000 years',
		'00000000-0000-0000-0000-000000000000', '::1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'101', B'',
		'{"a": 1,   "a": 2}', '{"z": [1, null, "é\n"], "a": 1e100}', '$.a[*] ? (@ > 1)', '<a b="c">t</a>', 'a:1A,3 ''it''''s'':2', 'a & !b <-> c',
		'(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1.5>', '16/B374D848',
		'sad', 1, row('Main "St", 1\n', null, array['a,b', '', null, '"'])),
	(2, false, 32767, 0, 9223372036854775807, 'Infinity', -0.01,
		'1e-40', 4.9406564584124654e-324, '0',
		E'tab\tnewline\nreturn\rquote"''backslash\\', E'a\\.b', 'ab', 'NULL', E'\\001', '\xdeadbeef00ff',
		'4713-01-01 BC', '00:00:00.000001', '23:59:59.999999-15:59', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999+00', '1 mon -2 days +03:04:05.000006',
		'ffffffff-ffff-ffff-ffff-ffffffffffff', '192.168.0.1/24', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', B'000', B'1010101010101',
		'null', 'null', '$', '', '', '',
		'(NaN,Infinity)', '{0,-1,0}', '[(1e300,0),(0,1e-300)]', '(0,0),(0,0)', '((0,0))', '((0,0))', '<(0,0),0>', '0/0',
		'it''s "fine"', 2147483647, row(null, null, null));
insert into scalars (id) values (3);
insert into compounds values
	(1, '{1,NULL,3}', '[2:3][-1:0]={{1,2},{3,4}}', array['', null, 'NULL', 'a"b', E'c\nd', '{}', '\'], '{sad,NULL,ok}',
		array[row('x', 1, '{}')::address, null], '{a,b}', array['{"a": 1}'::jsonb, 'null'], array['\x00'::bytea, ''],
		'[1,10)', '(,5.5]', '[2020-01-01,infinity)', '["2020-01-01 00:00:00+00",]', 'empty', '[1.5,2.5]',
		'{[1,2),[5,7)}', '{[1,2],(3,4)}', array['empty'::int4range, '(,)']),
	(2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '(,)', 'empty', '(,)', '(,)', '(,)', '(,)', '{}', '{}', '{}');
insert into compounds (id) values (3);

insert into identities (body) select 'row ' || n from generate_series(1, 5) n;
insert into identities (always, by_default, serial_, bigserial_, body) overriding system value values (7, 700, 70, 7000, 'by hand');
delete from identities where body = 'row 3';
select nextval('tickets') from generate_series(1, 3);
select nextval('cycled') from generate_series(1, 4);
insert into totals (net, rate, label) values (100, 0.19, 'first'), (0.1, 0.2, null), (-1, 0, 'the dogs ran');
insert into only_generated select from generate_series(1, 3);

insert into categories values (1, null, 3), (2, 1, 1), (3, 3, 2), (4, 2, null);
insert into departments values (1, 'north', null), (2, 'south', null);
insert into staff values (1, 1, null), (2, 1, 1), (3, 2, 3);
update departments set head = 2 where id = 1;
update departments set head = 1 where id = 2;
insert into chickens values (1, 10), (2, 20);
insert into eggs values (10, 2), (20, 1);
insert into pairs values (1, ''), (1, 'x'), (2, E'\n');
insert into pair_notes values (1, '', 'empty'), (null, null, 'none'), (2, E'\n', null), (1, '', 'empty');
insert into bookings values (1, '[2025-01-01,2025-01-02)', 'a'), (1, '[2025-01-02,2025-01-03)', 'b'), (2, '[2025-01-01,2025-01-03)', null), (2, null, null);

insert into measurements (at, kind, value) values ('2025-06-01', 'heat', 1), ('2025-06-01', 'cold', 'NaN'), ('2026-06-01', 'heat', 3),
	('2030-01-01', 'cold', null), ('2025-06-02', 'heat', 5);
insert into shards select n, 'shard ' || n from generate_series(1, 50) n;
insert into moods values ('sad', 'a'), ('ok', 'b'), (null, 'c'), ('it''s "fine"', 'd');
insert into readings values (1, 'x'), (50, 'y'), (null, 'z');
insert into vehicles values (1, 'bus');
insert into trucks values (2, 'tipper', 10), (3, null, 20);
insert into sessions values ('abc', '{"user": 1}');
insert into typed values ('Main', 1, '{a}');
insert into log values ('twice'), ('twice'), (null), ('');
insert into "Odd ""name"" / %_ü" values (1, 'a,b', '"', '""', 2, 'ß'), (null, '', null, '', null, null);
insert into nothing select from generate_series(1, 3);
insert into shrunk (kept, also) values ('a', 1), (null, null);
insert into texts values (''), (null), ('\.'), (E'\\.\n\\.'), (' '), ('"'), ('""'), (E'\n'), (E'\r\n'), (E'\r'), ('\N'), ('NULL'), ('null'), (','), ('a,b'),
	(E'\t'), ('#'), ('--'), ('''; drop table log; --'), ('body'), (E'\u2028'), (E'\ufeff'), ('𝔘𝔫𝔦'), (null), ('');
insert into mixed_texts values (1, '\.', null), (2, null, '\.'), (3, '', ''), (4, null, null), (null, null, null);
insert into wide select n, string_agg(md5((i * n)::text), E'\n' order by i), decode(string_agg(md5((-i * n)::text), '' order by i), 'hex')
	from generate_series(1, 2) n, generate_series(1, 100000) i group by n;
delete from empty where id = 1;
insert into empty values (3);

insert into guarded (id, body) values (1, 'a'), (2, null), (20, 'B');
update guarded set body = 'c' where id = 1;
alter table guarded disable trigger user;
insert into guarded (id, body) values (-1, 'the trigger refuses it');
alter table guarded enable trigger note;
insert into secrets values ('nobody', 'x'), (current_user, 'y');
refresh materialized view shard_counts;
