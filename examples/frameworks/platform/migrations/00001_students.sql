-- +goose Up
create table students (id bigint generated always as identity primary key, name text not null);
