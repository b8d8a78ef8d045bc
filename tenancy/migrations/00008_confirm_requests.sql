-- +goose Up
alter table drop_requests add column schema_name text not null default ''; -- that goes alone, kept aside by a replacement; else the tenant

-- +goose Down
alter table drop_requests drop column schema_name;
