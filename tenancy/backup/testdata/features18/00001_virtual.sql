-- +goose Up
create table virtual_totals (net int, gross int generated always as (net * 2) virtual, stored int generated always as (net * 3) stored);
