-- +goose Up
create table scalars (
	id int primary key,
	boolean_ boolean, smallint_ smallint, integer_ integer, bigint_ bigint, numeric_ numeric, numeric_scaled numeric(10, 2),
	real_ real, double_ double precision, money_ money,
	text_ text, varchar_ varchar(20), char_ char(5), name_ name, char1_ "char", bytea_ bytea,
	date_ date, time_ time, timetz_ timetz, timestamp_ timestamp, timestamptz_ timestamptz(3), interval_ interval,
	uuid_ uuid, inet_ inet, cidr_ cidr, macaddr_ macaddr, macaddr8_ macaddr8, bit_ bit(3), varbit_ varbit,
	json_ json, jsonb_ jsonb, jsonpath_ jsonpath, xml_ xml, tsvector_ tsvector, tsquery_ tsquery,
	point_ point, line_ line, lseg_ lseg, box_ box, path_ path, polygon_ polygon, circle_ circle, lsn_ pg_lsn,
	mood_ mood, positive_ positive, address_ address
);
create table compounds (
	id int primary key,
	ints int[], matrix int[][], texts text[], moods mood[], addresses address[], list short_list, jsons jsonb[], byteas bytea[],
	int_range int4range, num_range numrange, ts_range tsrange, tstz_range tstzrange, date_range daterange, own_range float_range,
	ints_range int4multirange, own_multirange float_multirange, ranges int4range[]
);
